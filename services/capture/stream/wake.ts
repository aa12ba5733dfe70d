/** Lets one loop wait until somebody has news for it, or for some time. News while nobody waits is kept. */
export class Wake {
  #news = false;
  #waiting: (() => void) | null = null;

  notify(): void {
    this.#news = true;
    const waiting = this.#waiting;
    // Once: Node.js takes note of each resolve of a promise that is resolved, at several microseconds each.
    this.#waiting = null;
    waiting?.();
  }

  async within(milliseconds: number): Promise<void> {
    if (!this.#news) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, milliseconds);
        this.#waiting = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    this.#waiting = null;
    this.#news = false;
  }
}
