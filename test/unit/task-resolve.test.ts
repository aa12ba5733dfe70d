import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { isSluiceError } from '../../shared/errors.ts';
import { TASK_NAME } from '../../shared/task/definition.ts';
import { defaultTaskName } from '../../shared/task/name.ts';
import { resolveTask } from '../../shared/task/resolve.ts';

const kafka = { brokers: ['127.0.0.1:9092'], registry: { url: 'http://127.0.0.1:8081/apis/ccompat/v7/' } };
const minimal = {
  source: { url: 'postgresql://app@src.example:5433/shop' },
  destination: { url: 'postgresql://app@dst.example/shop' },
  kafka,
};

async function refusal(definition: unknown, env = {}): Promise<string> {
  const error: unknown = await resolveTask(definition, env).then(
    () => new Error('accepted'),
    (failure: unknown) => failure,
  );
  if (!isSluiceError(error, 'CONFIG_INVALID')) throw error;
  return error.message;
}

describe('resolveTask', () => {
  it('fills in defaults', async () => {
    const task = await resolveTask(minimal, {});
    expect(task.source.endpoint).toEqual({
      host: 'src.example',
      port: 5433,
      database: 'shop',
      user: 'app',
      password: undefined,
      tls: { mode: 'prefer' },
    });
    expect(task.destination.port).toBe(5432);
    expect([...task.types]).toEqual(['schema', 'full', 'incremental']);
    expect(task.sink).toEqual({ name: 'main', tables: null, conflicts: 'overwrite' });
    expect(task.kafka.registry.url).toBe('http://127.0.0.1:8081/apis/ccompat/v7');
    expect(task.kafka.replicationFactor).toBeNull();
    expect(Object.isFrozen(task.source.endpoint)).toBe(true);
  });

  it('reads secrets and certificates by reference', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-resolve-'));
    await writeFile(join(folder, 'password'), 's3cret\n');
    await writeFile(join(folder, 'ca.pem'), 'CA');
    const task = await resolveTask(
      {
        ...minimal,
        source: {
          ...minimal.source,
          password: { env: 'SRC' },
          tls: { mode: 'verify-full', ca: join(folder, 'ca.pem') },
        },
        destination: { ...minimal.destination, password: { file: join(folder, 'password') } },
      },
      { SRC: 'from env' },
    );
    expect(task.source.endpoint.password).toBe('from env');
    expect(task.source.endpoint.tls).toMatchObject({ mode: 'verify-full', ca: 'CA' });
    expect(task.destination.password).toBe('s3cret');
  });

  it('names every wrong setting at once, each with its path', async () => {
    const message = await refusal(
      {
        ...minimal,
        source: { url: 'mysql://x', password: { env: 'MISSING' } },
        destination: { url: 'postgresql://u:p@h/d', password: { env: 'SET' }, tls: { ca: '/nowhere/ca.pem' } },
        types: ['schema', 'incremental'],
      },
      { SET: 'x' },
    );
    expect(message).toMatch(/^5 settings are wrong/);
    expect(message).toContain('source.url: not a URL of the form postgresql://');
    expect(message).toContain('source.password: environment variable MISSING is not set');
    expect(message).toContain('destination.password: the URL holds a password too');
    expect(message).toContain('destination.tls.ca: cannot read /nowhere/ca.pem (ENOENT)');
    expect(message).toContain('types: changes of rows that were never copied');
  });

  it('refuses unknown and missing settings with their paths', async () => {
    const message = await refusal({
      source: { url: 'postgresql://h/d', colour: 1 },
      kafka: { ...kafka, broker: 'x' },
      names: [],
    });
    expect(message.split('\n  ').slice(1).sort()).toEqual([
      'destination: missing',
      'kafka.broker: unknown setting',
      'names: unknown setting',
      'source.colour: unknown setting',
    ]);
  });

  it.each([
    [
      'the same database twice',
      { ...minimal, destination: { url: 'postgresql://other@src.example:5433/shop' } },
      'same database',
    ],
    ['no Kafka', { source: minimal.source, destination: minimal.destination }, 'kafka: missing'],
    ['a task name with capitals', { ...minimal, name: 'Shop' }, 'name: lower-case letters'],
    [
      'a secret that is no reference',
      { ...minimal, source: { ...minimal.source, password: 'x' } },
      'expected { env: NAME }',
    ],
    [
      'sslmode and tls.mode that differ',
      { ...minimal, source: { url: 'postgresql://h/d?sslmode=disable', tls: { mode: 'require' } } },
      'contradicts the URL',
    ],
    [
      'a certificate without key',
      { ...minimal, source: { ...minimal.source, tls: { certificate: import.meta.filename } } },
      'belong together',
    ],
  ])('refuses %s', async (_, definition, expected) => {
    expect(await refusal(definition)).toContain(expected);
  });
});

describe('default task name', () => {
  const at = (database: string, host = 'h', port = 5432) => ({ host, port, database });

  it('is stable, short, and a valid name whatever the databases are called', () => {
    for (const database of ['shop', 'Übergröße', '--', 'a'.repeat(63), 'x_y.z']) {
      const name = defaultTaskName(at(database), at(database, 'g'));
      expect(name).toMatch(TASK_NAME);
      expect(name).toBe(defaultTaskName(at(database, 'H'), at(database, 'g')));
    }
  });

  it('tells databases, hosts and ports apart', () => {
    const names = [
      defaultTaskName(at('a'), at('b')),
      defaultTaskName(at('b'), at('a')),
      defaultTaskName(at('a', 'g'), at('b')),
      defaultTaskName(at('a', 'h', 1), at('b')),
      defaultTaskName(at('a_'), at('b')),
    ];
    expect(new Set(names).size).toBe(names.length);
  });
});
