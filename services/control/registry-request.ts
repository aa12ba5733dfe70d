import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { SluiceError } from '../../shared/errors.ts';
import type { RegistrySettings } from '../../shared/task/task.ts';

const TIMEOUT_MS = 10_000;

/**
 * One request to the Confluent-compatible API, by its path under the base URL. 404 is an answer: null.
 * @throws SluiceError REGISTRY_UNREACHABLE, REGISTRY_REFUSED
 */
export async function registryRequest(
  registry: RegistrySettings,
  method: 'GET' | 'DELETE',
  path: string,
): Promise<unknown> {
  const { status, body } = await send(registry, method, path);
  if (status === 404) return null;
  if (status >= 500) throw unreachable(registry, `answered ${status}`);
  if (status >= 300) {
    throw new SluiceError(
      'REGISTRY_REFUSED',
      `the schema registry at ${registry.url} answered ${status}: ${body.slice(0, 200)}`,
    );
  }
  try {
    return JSON.parse(body);
  } catch (cause) {
    const detail = `${registry.url} does not answer as a schema registry does`;
    throw new SluiceError('REGISTRY_REFUSED', detail, { cause, remedy: 'Check kafka.registry.url.' });
  }
}

function send(registry: RegistrySettings, method: string, path: string): Promise<{ status: number; body: string }> {
  const url = new URL(`${registry.url}${path}`);
  const auth = registry.username === undefined ? {} : { auth: `${registry.username}:${registry.password ?? ''}` };
  const options = { method, timeout: TIMEOUT_MS, ...auth, ...(registry.ca === undefined ? {} : { ca: registry.ca }) };
  return new Promise((resolve, reject) => {
    const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, options, (response) => {
      const parts: Buffer[] = [];
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('error', (cause) => reject(unreachable(registry, cause.message, cause)));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(parts).toString() }));
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS / 1000} s`)));
    request.on('error', (cause) => reject(unreachable(registry, cause.message, cause)));
    request.end();
  });
}

function unreachable(registry: RegistrySettings, why: string, cause?: unknown): SluiceError {
  return new SluiceError('REGISTRY_UNREACHABLE', `schema registry ${registry.url}: ${why}`, { cause });
}
