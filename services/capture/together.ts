/**
 * Runs parts beside each other until all have ended. The first that fails aborts the others, and its error is thrown
 * when they have ended too. When `signal` aborts, the parts end by themselves, and that is no failure.
 */
export async function together(
  signal: AbortSignal,
  parts: readonly ((signal: AbortSignal) => Promise<void>)[],
): Promise<void> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  let failure: { readonly error: unknown } | null = null;
  const run = async (part: (signal: AbortSignal) => Promise<void>) => {
    try {
      await part(either);
    } catch (error) {
      if (failure || signal.aborted) return;
      failure = { error };
      stop.abort(error);
    }
  };
  await Promise.all(parts.map(run));
  if (failure) throw (failure as { error: unknown }).error;
}
