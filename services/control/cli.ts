import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { checkoutDir } from '../../deploy/local/paths.ts';
import { ExitCode } from '../../shared/errors.ts';
import { reportError } from '../../shared/service/error-report.ts';
import { addTaskOptions, type TaskArguments } from '../../shared/task/arguments.ts';
import { jsonText } from './output.ts';

/** The command line. Each command's module is loaded when it is called, so that `--help` is quick. */

const EXIT_CODES = `
Exit codes:
  0 done   1 stopped, see the message   2 wrong usage   3 the two ends differ   4 precheck findings
  65 data error   69 a server cannot be reached   70 internal error   78 wrong configuration   130 interrupted
docs/errors.md describes every error code and its remedy.`;

type Options = TaskArguments;
type Run = (options: Options) => Promise<number>;

interface Switch {
  readonly flags: string;
  readonly help: string;
}

const json: Switch = { flags: '--json', help: 'machine-readable output' };
const takeOver: Switch = { flags: '--take-over', help: 'end the capture of this task that runs elsewhere' };
const timeout: Switch = { flags: '--timeout <seconds>', help: 'how long to wait for the fence (default: 300)' };

function taskCommand(program: Command, name: string, help: string, switches: readonly Switch[], run: Run): Command {
  const command = addTaskOptions(program.command(name).description(help));
  for (const { flags, help: text } of switches) command.option(flags, text);
  return command.action(async (options: Options) => finish(await run(options)));
}

function buildProgram(): Command {
  const program = new Command('sluice')
    .description('Moves a live PostgreSQL database to another PostgreSQL server through Kafka.')
    .version(version(), '--version')
    .addHelpText('after', EXIT_CODES)
    .showHelpAfterError('(sluice --help shows what there is)');
  inherit(program);
  addRunning(program);
  addWatching(program);
  addLocal(program);
  return program;
}

function addRunning(program: Command): void {
  const until: Switch = { flags: '--until <what>', help: 'caught-up: end when a fence set then is applied' };
  const noPrecheck: Switch = { flags: '--skip-precheck', help: 'start without looking first' };
  taskCommand(
    program,
    'migrate',
    'run a whole task in the foreground; again, it goes on where it was',
    [until, noPrecheck, takeOver, json],
    async (options) => (await import('./commands/migrate.ts')).migrate(options),
  );
  const dryRun: Switch = {
    flags: '--dry-run',
    help: 'write the SQL in order to stdout; needs neither Kafka nor destination',
  };
  taskCommand(
    program,
    'schema',
    'migrate the schema only, and report what became of each object',
    [dryRun, noPrecheck, json],
    async (options) => (await import('./commands/schema.ts')).schema(options),
  );
  taskCommand(program, 'capture', 'run the capture service alone: source to Kafka', [takeOver], async (options) =>
    (await import('./commands/service.ts')).runAlone('capture', options),
  );
  taskCommand(program, 'sink', 'run the sink service alone: Kafka to destination', [], async (options) =>
    (await import('./commands/service.ts')).runAlone('sink-postgres', options),
  );
}

function addWatching(program: Command): void {
  const compare: Switch = { flags: '--compare', help: 'compare both ends row by row at the fence' };
  const topics: Switch = { flags: '--topics', help: 'delete the topics and registry subjects of the task too' };
  const rows: Switch = { flags: '--bookkeeping', help: 'delete the bookkeeping at the destination too' };
  taskCommand(program, 'precheck', 'look for what would keep the task from running', [json], async (options) =>
    (await import('./commands/precheck.ts')).precheck(options),
  );
  const objects: Switch = { flags: '--objects', help: 'every schema object and what became of it' };
  taskCommand(
    program,
    'status',
    'phase, progress, positions, lag, what waits for what',
    [objects, json],
    async (options) => (await import('./commands/status.ts')).status(options),
  );
  taskCommand(
    program,
    'fence',
    'wait until all that is committed now is applied',
    [compare, timeout, json],
    async (options) => (await import('./commands/fence.ts')).fence(options),
  );
  taskCommand(
    program,
    'cutover',
    'make the destination the live database; stop writes first',
    [timeout, json],
    async (options) => (await import('./commands/cutover.ts')).cutover(options),
  );
  taskCommand(
    program,
    'release',
    'remove what Sluice made at the source',
    [topics, rows, takeOver, json],
    async (options) => (await import('./commands/release.ts')).release(options),
  );
}

function addLocal(program: Command): void {
  const local = program.command('local').description('the local stack: Kafka and schema registry');
  const databases: Switch = { flags: '--databases', help: 'two PostgreSQL servers too, as the demo uses' };
  const remove: Switch = { flags: '--remove', help: 'remove data and logs too' };
  const command = (name: string, help: string, switches: readonly Switch[], run: Run) => {
    const one = local.command(name).description(help);
    for (const { flags, help: text } of switches) one.option(flags, text);
    one.action(async (options: Options) => finish(await run(options)));
  };
  const load = () => import('./commands/local.ts');
  command('up', 'start what does not run', [databases, json], async (options) => (await load()).up(options));
  command('down', 'stop what was started here', [remove, json], async (options) => (await load()).down(options));
  command('status', 'what runs where', [json], async (options) => (await load()).status(options));
  program
    .command('demo')
    .description('migrate a generated database on the local stack while it is being written to')
    .option('--keep', 'leave everything running at the end')
    .option('--rows <count>', 'about so many rows (default: 1200000)')
    .action(async (options: Options) => finish(await (await import('./demo/demo.ts')).demo(options)));
}

/** Usage errors end with exit code 2, help and version with 0. */
function inherit(program: Command): void {
  program.exitOverride((error) => {
    throw error;
  });
}

function finish(exit: number): void {
  process.exitCode = exit;
}

function version(): string {
  return (JSON.parse(readFileSync(join(checkoutDir, 'package.json'), 'utf8')) as { version: string }).version;
}

async function main(argv: readonly string[]): Promise<void> {
  try {
    await buildProgram().parseAsync(argv, { from: 'user' });
  } catch (error) {
    if (error instanceof CommanderError) return finish(error.exitCode === 0 ? ExitCode.ok : ExitCode.usage);
    const { exit, report, print } = reportError(await classed(error));
    if (argv.includes('--json')) process.stdout.write(`${jsonText({ error: report })}\n`);
    else print(process.stderr);
    finish(exit);
  }
}

/** What PostgreSQL said where nobody expected it is still its answer, no defect. */
async function classed(error: unknown): Promise<unknown> {
  const { postgresFailure, sqlstate } = await import('../../shared/postgres/failure.ts');
  return sqlstate(error) === undefined ? error : postgresFailure(error, {});
}

await main(process.argv.slice(2));
// Clients of PostgreSQL and Kafka may leave timers behind; the result is written.
process.exit();
