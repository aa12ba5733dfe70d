import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { isSluiceError } from '../../shared/errors.ts';
import { connect, describeEnd } from '../../shared/postgres/connection.ts';
import { postgresFailure } from '../../shared/postgres/failure.ts';
import { type TestContext, testContext } from '../support/context.ts';
import { postgresEndpoint } from '../support/postgres-endpoint.ts';
import { TcpProxy } from '../support/tcp-proxy.ts';

/** No time limit can tell a long statement from a connection that is dead without a word; the server can. */
describe('a session whose connection may be dead', () => {
  let ctx: TestContext;
  beforeAll(async () => {
    ctx = await testContext();
  });
  afterAll(async () => {
    await ctx[Symbol.asyncDispose]();
  });

  const proxied = () => TcpProxy.open(Number(new URL(ctx.source.url).port));

  async function connected(port?: number): Promise<pg.Client> {
    const endpoint = postgresEndpoint(ctx.source.url);
    const client = await connect(
      { ...endpoint, port: port ?? endpoint.port },
      { applicationName: 'watched', end: 'source' },
    );
    return client;
  }

  test.concurrent('a long statement is waited for', async () => {
    const client = await connected();
    const { rows } = await client.query("SELECT pg_sleep(45), 'done' AS said");
    expect(rows[0].said).toBe('done');
    await client.end();
  });

  test.concurrent('a statement whose answer was lost fails, and the session ends', async () => {
    await using proxy = await proxied();
    const clients = await Promise.all([connected(proxy.port), connected(proxy.port)]);
    proxy.begin({ kind: 'black-hole', direction: 'down' });
    const failures = Promise.allSettled(clients.map((client) => client.query('SELECT 1')));
    proxy.heal();
    for (const result of await failures) {
      expect(result.status).toBe('rejected');
      const { reason } = result as PromiseRejectedResult;
      const failure = postgresFailure(reason, describeEnd(postgresEndpoint(ctx.source.url), 'source'));
      expect(isSluiceError(failure, 'POSTGRES_UNREACHABLE')).toBe(true);
      expect(failure.retry).toBe('retry');
    }
    expect(proxy.counts.swallowed).toBeGreaterThan(0);
    await Promise.all(clients.map((client) => client.end()));
  });

  test.concurrent('an idle session on a dead connection ends all the same', async () => {
    await using proxy = await proxied();
    const client = await connected(proxy.port);
    proxy.begin({ kind: 'black-hole', direction: 'both' });
    proxy.heal();
    const began = performance.now();
    await client.end();
    expect(performance.now() - began).toBeLessThan(10_000);
  });
});
