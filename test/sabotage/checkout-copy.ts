import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Breakage } from './breakage.ts';

/** A copy of the working tree to break, so that the tree itself is never touched. */
export class CheckoutCopy implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), 'sluice-sabotage-'));

  constructor(checkout: string) {
    const list = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '-z'], {
      cwd: checkout,
    });
    for (const file of new Set(list.toString().split('\0').filter(Boolean))) {
      mkdirSync(dirname(join(this.dir, file)), { recursive: true });
      cpSync(join(checkout, file), join(this.dir, file), { force: true });
    }
    for (const shared of ['node_modules', '.local']) symlinkSync(join(checkout, shared), join(this.dir, shared));
  }

  /** Breaks one line; dispose puts it back. @throws Error when the line does not stand there exactly once. */
  break({ file, find, replace }: Breakage): Disposable {
    const path = join(this.dir, file);
    const whole = readFileSync(path, 'utf8');
    const count = whole.split(find).length - 1;
    if (count !== 1) throw new Error(`${file} holds ${count} times: ${find}`);
    writeFileSync(
      path,
      whole.replace(find, () => replace),
    );
    return { [Symbol.dispose]: () => writeFileSync(path, whole) };
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true, force: true });
  }
}
