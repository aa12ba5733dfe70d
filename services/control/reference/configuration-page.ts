import * as z from 'zod';
import { describeTaskOptions } from '../../../shared/task/arguments.ts';
import { taskDefinition } from '../../../shared/task/definition.ts';

/** The part of JSON Schema that our definition uses. */
interface Schema {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly anyOf?: readonly Schema[];
}

interface Setting {
  readonly path: string;
  readonly schema: Schema;
  readonly required: boolean;
}

/** docs/configuration.md, made of the schema and the options themselves. */
export function configurationPage(): string {
  const schema = z.toJSONSchema(taskDefinition, { io: 'input' }) as Schema;
  return [
    intro,
    '## Settings\n',
    settingsTable(schema),
    example,
    '## Command-line options\n',
    optionsTable(),
    environment,
  ].join('\n');
}

const intro = `# Configuration

<!-- Made by \`node --import tsx services/control/reference/write-pages.ts\`; a test compares it. -->

A task is described by a file (\`--task-file\`, YAML or JSON), by command-line options, or by both: an option that
contradicts the file is refused. Unknown settings are refused, and everything that is wrong is named at once, each
with its path. Paths of files are relative to the working directory. Of the environment only what
is referenced is read, and for an endpoint without a password what libpq reads: PGPASSWORD and ~/.pgpass.
`;

const example = `
### An example

\`\`\`yaml
name: shop
source:
  url: postgresql://sluice@db1.example:5432/shop?sslmode=verify-full&sslrootcert=/etc/ssl/db-ca.pem
  password: { env: SOURCE_PASSWORD }
destination:
  url: postgresql://sluice@db2.example:5432/shop
  password: { file: /run/secrets/destination }
  tls: { mode: verify-full, ca: /etc/ssl/db-ca.pem }
tables:
  exclude: ["public.audit_*"]
kafka:
  brokers: ["k1.example:9093", "k2.example:9093", "k3.example:9093"]
  tls: { ca: /etc/ssl/kafka-ca.pem }
  sasl: { mechanism: scram-sha-512, username: sluice, password: { env: KAFKA_PASSWORD } }
  registry: { url: "https://registry.example" }
\`\`\`

The name that a task gets without \`name\` is made from host, port and database of both ends: the same two databases
give the same task, whatever account reaches them.
`;

const environment = `
## Environment

| variable | meaning |
|---|---|
| \`SLUICE_LOG\` | level of the services' log on stderr: trace, debug, info (default; under \`migrate\` warn), warn, error, silent |
| \`SLUICE_LOG_FORMAT\` | \`pretty\` or \`json\`; default: pretty on a terminal, else JSON lines |
| \`SLUICE_TUNING\` | settings of \`tuning\` as JSON, which win over the definition's: \`{"fold":false}\` |
| \`SLUICE_LOCAL_DIR\` | where the local stack keeps state, logs and data; default: \`.local/stack\` of the checkout |
`;

function settingsTable(schema: Schema): string {
  const rows = settingsOf(schema, '').map(({ path, schema: setting, required }) => {
    const fallback =
      setting.default === undefined ? (required ? 'required' : '') : `\`${JSON.stringify(setting.default)}\``;
    return `| \`${path}\` | ${typeText(setting)} | ${fallback} | ${cell(setting.description ?? '')} |`;
  });
  return ['| setting | form | default | meaning |', '|---|---|---|---|', ...rows, ''].join('\n');
}

/** Depth first, in the schema's order; a secret is one setting, not two forms of one. */
function settingsOf(schema: Schema, prefix: string): Setting[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, property]) => {
    const path = prefix === '' ? name : `${prefix}.${name}`;
    if (property.properties) return settingsOf(property, path);
    return [{ path, schema: property, required: schema.required?.includes(name) ?? false }];
  });
}

function typeText(schema: Schema): string {
  if (schema.anyOf) return '`{ env: NAME }` or `{ file: PATH }`';
  if (schema.enum) return schema.enum.map((word) => `\`${word}\``).join(', ');
  if (schema.type === 'array') return `list of ${schema.items?.enum ? typeText(schema.items) : 'text'}`;
  if (schema.type === 'integer') return `number${rangeText(schema)}`;
  return schema.type === 'boolean' ? '`true` or `false`' : 'text';
}

function rangeText({ minimum, maximum }: Schema): string {
  const open = maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER;
  if (minimum === undefined) return '';
  return open ? ` from ${minimum}` : ` ${minimum} to ${maximum}`;
}

function optionsTable(): string {
  const rows = describeTaskOptions().map(
    ({ flags, help, path }) => `| \`${cell(flags)}\` | \`${path}\` | ${cell(help)} |`,
  );
  const head = [
    'Those that describe a task are the same for every command.\n',
    '| option | setting | meaning |',
    '|---|---|---|',
  ];
  return [...head, ...rows].join('\n');
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
