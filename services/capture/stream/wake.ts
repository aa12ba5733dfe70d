/** Lets one loop wait until somebody has news for it, or for some time. News while nobody waits is kept. */
export class Wake {
  #news = false;
  #waiting: (() => void) | null = null;

  notify(): void {
    this.#news = true;
    this.#waiting?.();
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
