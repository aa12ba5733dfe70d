import { createRequire } from 'node:module';
import { type Logger, pino } from 'pino';

export type { Logger };

const levels = ['trace', 'debug', 'info', 'warn', 'error', 'silent'];

/** Places where a secret may stand in what is logged. */
const secrets = ['password', 'keyPassword', 'key', 'sasl', 'url'];

/**
 * Logs to stderr, `SLUICE_LOG` being the level (default info): JSON lines, or plain text where people look
 * (a terminal, or `SLUICE_LOG_FORMAT=pretty`). Fixed keys: task, table, commitLsn, topic, partition, offset, err.
 */
export function openLogger(service: string): Logger {
  const wanted = process.env.SLUICE_LOG ?? 'info';
  const options = {
    level: levels.includes(wanted) ? wanted : 'info',
    base: { service },
    redact: { paths: [...secrets, ...secrets.map((name) => `*.${name}`)], censor: '[redacted]' },
  };
  if (!isForPeople()) return pino(options, pino.destination({ fd: 2, sync: true }));
  // Loaded where it is needed: it takes longer than all else of a start.
  const pretty = createRequire(import.meta.url)('pino-pretty') as typeof import('pino-pretty');
  const stream = pretty({
    destination: 2,
    sync: true,
    colorize: process.stderr.isTTY,
    ignore: 'pid,hostname,service',
    messageFormat: '{service}: {msg}',
    translateTime: 'SYS:HH:MM:ss',
  });
  return pino(options, stream);
}

function isForPeople(): boolean {
  const format = process.env.SLUICE_LOG_FORMAT;
  return format === undefined ? process.stderr.isTTY : format === 'pretty';
}
