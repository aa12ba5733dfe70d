import { ExitCode, errorCatalogue, isSluiceError } from '../errors.ts';

export interface ErrorReport {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

export interface ReportedError {
  readonly exit: number;
  readonly report: ErrorReport;
  /** `error CODE: ...` and `remedy: ...`; a stack trace only for what is no SluiceError: a defect. */
  print(stream: { write(text: string): unknown }): void;
}

export function reportError(error: unknown): ReportedError {
  if (isSluiceError(error)) {
    const report = { code: error.code, message: error.message, remedy: error.remedy };
    return { exit: error.exit, report, print: (stream) => stream.write(errorText(report)) };
  }
  const message = error instanceof Error ? error.message : String(error);
  const report = { code: 'INTERNAL', message, remedy: errorCatalogue.INTERNAL.remedy };
  const stack = error instanceof Error && error.stack !== undefined ? `${error.stack}\n` : '';
  return { exit: ExitCode.internal, report, print: (stream) => stream.write(errorText(report) + stack) };
}

export function errorText({ code, message, remedy }: ErrorReport): string {
  return `error ${code}: ${message}\nremedy: ${remedy}\n`;
}
