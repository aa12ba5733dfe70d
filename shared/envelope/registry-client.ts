import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSluiceError, SluiceError } from '../errors.ts';
import type { RegistrySettings } from '../task/task.ts';

/**
 * Confluent's schema registry API, as far as Sluice needs it.
 * @see https://docs.confluent.io/platform/current/schema-registry/develop/api.html
 */
export interface RegistryClient {
  /** Id of the schema, registered under the subject; the same schema gets the same id. */
  register(subject: string, schema: string): Promise<number>;
  /** JSON text of an Avro schema. @throws SluiceError REGISTRY_REFUSED when there is none of this id. */
  schema(id: number): Promise<string>;
}

interface Call {
  readonly method: 'GET' | 'POST' | 'PUT';
  readonly path: string;
  readonly body?: unknown;
}

interface Answer {
  readonly status: number;
  readonly body: string;
}

const TIMEOUT_MILLISECONDS = 10_000;
const RETRY_MILLISECONDS = 10_000;
const PAUSE_MILLISECONDS = 200;
const OK = 200;
const NOT_FOUND = 404;
/** A schema that the subject's compatibility does not allow. */
const CONFLICT = 409;

/** Repeats what did not get an answer for 10 s: all calls may be repeated. */
export function openRegistry(settings: RegistrySettings): RegistryClient {
  const call = (request: Call) => patientCall(settings, request);
  return {
    async register(subject, schema) {
      const name = encodeURIComponent(subject);
      const what = `registering a schema for ${subject}`;
      const post = () => call({ method: 'POST', path: `/subjects/${name}/versions`, body: { schema } });
      const first = await post();
      const answer = first.status === CONFLICT && (await leaveCompatibility(call, name)) ? await post() : first;
      const { id } = accepted(settings, answer, what) as { id?: unknown };
      if (typeof id !== 'number') throw refused(settings, answer, what);
      return id;
    },
    async schema(id) {
      const answer = await call({ method: 'GET', path: `/schemas/ids/${id}` });
      const { schema } = accepted(settings, answer, `reading schema ${id}`) as { schema?: unknown };
      if (typeof schema !== 'string') throw refused(settings, answer, `reading schema ${id}`);
      return schema;
    },
  };
}

/**
 * A subject of ours whose table changes gets compatibility NONE, unless somebody set another one: every form that a
 * table ever had is readable by itself. Not before it is needed: most tables never change, and one may have thousands.
 * Whether it was set here.
 */
async function leaveCompatibility(call: (request: Call) => Promise<Answer>, subject: string): Promise<boolean> {
  const found = await call({ method: 'GET', path: `/config/${subject}` });
  if (found.status !== NOT_FOUND) return false;
  const set = await call({ method: 'PUT', path: `/config/${subject}`, body: { compatibility: 'NONE' } });
  return set.status === OK;
}

async function patientCall(settings: RegistrySettings, request: Call): Promise<Answer> {
  const deadline = performance.now() + RETRY_MILLISECONDS;
  for (;;) {
    try {
      const answer = await send(settings, request);
      if (answer.status < 500 && answer.status !== 429) return answer;
      throw unreachable(settings, `answered ${answer.status}`);
    } catch (error) {
      if (!isSluiceError(error, 'REGISTRY_UNREACHABLE') || performance.now() > deadline) throw error;
      await sleep(PAUSE_MILLISECONDS);
    }
  }
}

function send(settings: RegistrySettings, { method, path, body }: Call): Promise<Answer> {
  const url = new URL(`${settings.url.replace(/\/+$/, '')}${path}`);
  const content = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
  const options = {
    method,
    timeout: TIMEOUT_MILLISECONDS,
    headers: {
      accept: 'application/vnd.schemaregistry.v1+json, application/json',
      ...(content
        ? { 'content-type': 'application/vnd.schemaregistry.v1+json', 'content-length': content.length }
        : {}),
    },
    ...(settings.username === undefined ? {} : { auth: `${settings.username}:${settings.password ?? ''}` }),
    ...(settings.ca === undefined ? {} : { ca: settings.ca }),
  };
  return new Promise((resolve, reject) => {
    const fail = (error: Error) => reject(unreachable(settings, error.message, error));
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', fail);
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }));
    });
    request.on('timeout', () => request.destroy(new Error('no answer in time')));
    request.on('error', fail);
    request.end(content);
  });
}

function accepted(settings: RegistrySettings, answer: Answer, what: string): object {
  if (answer.status !== OK) throw refused(settings, answer, what);
  try {
    return JSON.parse(answer.body) as object;
  } catch {
    throw refused(settings, answer, what);
  }
}

function unreachable({ url }: RegistrySettings, why: string, cause?: Error): SluiceError {
  return new SluiceError('REGISTRY_UNREACHABLE', `schema registry ${url}: ${why}`, { cause });
}

const LONGEST_DETAIL = 500;

function refused({ url }: RegistrySettings, { status, body }: Answer, what: string): SluiceError {
  const detail = `schema registry ${url}, ${what}: status ${status}, ${body.slice(0, LONGEST_DETAIL)}`;
  if (status === 401 || status === 403) {
    return new SluiceError('REGISTRY_REFUSED', detail, { remedy: 'Check user and password in kafka.registry.' });
  }
  return new SluiceError('REGISTRY_REFUSED', detail);
}
