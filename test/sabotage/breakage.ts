/** One line of the code made wrong, and the test that has to notice. */
export interface Breakage {
  /** What the wrong code does, in a few words. */
  readonly name: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** A test file, and a part of the full name of the test that must turn red. */
  readonly test: { readonly file: string; readonly name: string };
}
