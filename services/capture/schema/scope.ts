import type pg from 'pg';
import type { TableName } from '../../../shared/postgres/identifiers.ts';
import { selector } from '../../../shared/task/selection.ts';
import type { Selection } from '../../../shared/task/task.ts';
import { creationOrder, type Dependency, dependencyMap } from './dependency-order.ts';

/**
 * The objects that are carried: the selected tables, with all that they need wherever it stands, and, unless the
 * task names tables, the types and sequences of the selected schemas.
 * A node is a kind's letter and an oid: `r` table, `s` sequence, `t` type, `c` collation.
 */
export interface Scope {
  /** Nodes, each after what it needs. */
  readonly order: readonly string[];
  /** Oids by kind. */
  readonly tables: readonly string[];
  readonly sequences: readonly string[];
  readonly types: readonly string[];
  readonly collations: readonly string[];
  /** Names, the selected ones and those of all objects. */
  readonly schemas: readonly string[];
}

interface NodeRow {
  node: string;
  schema: string;
  name: string;
  /** Of a partition: the tables above it, nearest first, as JSON. Of a sequence: the table that owns it. */
  lineage: string;
}

const outsideExtensions = (catalog: string, oid: string) => `
  NOT EXISTS (SELECT FROM pg_depend e
    WHERE e.classid = 'pg_catalog.${catalog}'::regclass AND e.objid = ${oid} AND e.deptype = 'e')`;

const userSchema = `n.nspname !~ '^pg_' AND n.nspname NOT IN ('information_schema', 'sluice')`;

/** In the order of creation where nothing else decides it. */
const nodesSql = `
  SELECT 'c' || c.oid AS node, n.nspname AS schema, c.collname AS name, '[]' AS lineage, 1 AS kind
    FROM pg_collation c JOIN pg_namespace n ON n.oid = c.collnamespace
    WHERE ${userSchema} AND ${outsideExtensions('pg_collation', 'c.oid')}
  UNION ALL
  SELECT 't' || t.oid, n.nspname, t.typname, '[]', 2
    FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace LEFT JOIN pg_class c ON c.oid = t.typrelid
    WHERE t.typtype IN ('e', 'd', 'r', 'c') AND coalesce(c.relkind, 'c') = 'c'
      AND ${userSchema} AND ${outsideExtensions('pg_type', 't.oid')}
  UNION ALL
  SELECT 's' || c.oid, n.nspname, c.relname, coalesce((
      SELECT json_agg(json_build_object('schema', tn.nspname, 'name', t.relname))
      FROM pg_depend d JOIN pg_class t ON t.oid = d.refobjid JOIN pg_namespace tn ON tn.oid = t.relnamespace
      WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'a'
        AND d.refclassid = 'pg_class'::regclass), '[]')::text, 3
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'S' AND c.relpersistence <> 't' AND ${userSchema} AND ${outsideExtensions('pg_class', 'c.oid')}
      AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i')
  UNION ALL
  SELECT 'r' || c.oid, n.nspname, c.relname, coalesce((
      WITH RECURSIVE up(parent, level) AS (
        SELECT i.inhparent, 1 FROM pg_inherits i WHERE i.inhrelid = c.oid AND c.relispartition
        UNION ALL
        SELECT i.inhparent, up.level + 1 FROM up JOIN pg_class p ON p.oid = up.parent AND p.relispartition
          JOIN pg_inherits i ON i.inhrelid = up.parent)
      SELECT json_agg(json_build_object('schema', pn.nspname, 'name', p.relname) ORDER BY up.level)
      FROM up JOIN pg_class p ON p.oid = up.parent JOIN pg_namespace pn ON pn.oid = p.relnamespace), '[]')::text, 4
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ${userSchema}
      AND ${outsideExtensions('pg_class', 'c.oid')}
  ORDER BY kind, schema, name`;

/** Which node an entry of pg_depend stands for: the object itself, its array type, its row type, its default, ... */
function entriesSql(version: number): string {
  const multiranges = `
    UNION ALL SELECT 'pg_type'::regclass, m.oid, 't' || g.rngtypid FROM pg_range g JOIN pg_type m ON m.oid = g.rngmultitypid
    UNION ALL SELECT 'pg_type'::regclass, m.typarray, 't' || g.rngtypid FROM pg_range g JOIN pg_type m ON m.oid = g.rngmultitypid`;
  return `
    SELECT 'pg_class'::regclass AS class, oid, CASE relkind WHEN 'S' THEN 's' ELSE 'r' END || oid AS node
      FROM pg_class WHERE relkind IN ('r', 'p', 'S')
    UNION ALL SELECT 'pg_class'::regclass, oid, 't' || reltype FROM pg_class WHERE relkind = 'c'
    UNION ALL SELECT 'pg_collation'::regclass, oid, 'c' || oid FROM pg_collation
    UNION ALL SELECT 'pg_attrdef'::regclass, oid, 'r' || adrelid FROM pg_attrdef
    UNION ALL SELECT 'pg_constraint'::regclass, oid, CASE conrelid WHEN 0 THEN 't' || contypid ELSE 'r' || conrelid END
      FROM pg_constraint WHERE contype = 'c'
    UNION ALL SELECT 'pg_type'::regclass, e.oid, CASE WHEN c.relkind IN ('r', 'p') THEN 'r' || c.oid ELSE 't' || t.oid END
      FROM pg_type t LEFT JOIN pg_class c ON c.oid = t.typrelid, LATERAL (VALUES (t.oid), (t.typarray)) AS e(oid)
      WHERE t.typtype IN ('e', 'd', 'r', 'c') AND e.oid <> 0
    ${version >= 140_000 ? multiranges : ''}`;
}

/** A sequence needs nothing of the table that owns it: ownership is given afterwards. */
function dependenciesSql(version: number): string {
  return `
    WITH entry AS (${entriesSql(version)})
    SELECT DISTINCT a.node AS "from", b.node AS "to"
    FROM pg_depend d
    JOIN entry a ON a.class = d.classid AND a.oid = d.objid
    JOIN entry b ON b.class = d.refclassid AND b.oid = d.refobjid
    WHERE a.node <> b.node AND a.node NOT LIKE 's%'
    ORDER BY 1, 2`;
}

/** Reads the scope of a task, as the client's snapshot sees it. */
export async function readScope(client: pg.ClientBase, selection: Selection, version: number): Promise<Scope> {
  const selects = selector(selection);
  const { rows } = await client.query<NodeRow>(nodesSql);
  const dependencies = await client.query<Dependency>(dependenciesSql(version));
  const known = new Map(rows.map((row) => [row.node, row]));
  const wanted = rows.filter((row) => isWanted(row, selects)).map((row) => row.node);
  const order = creationOrder(wanted, dependencyMap(dependencies.rows)).filter((node) => known.has(node));
  const oids = (letter: string) => order.filter((node) => node.startsWith(letter)).map((node) => node.slice(1));
  const schemas = new Set(order.map((node) => known.get(node)?.schema ?? ''));
  if (!selects.byTable) for (const name of await schemaNames(client)) if (selects.schema(name)) schemas.add(name);
  return {
    order,
    tables: oids('r'),
    sequences: oids('s'),
    types: oids('t'),
    collations: oids('c'),
    schemas: [...schemas].sort(),
  };
}

function isWanted(row: NodeRow, selects: ReturnType<typeof selector>): boolean {
  const lineage = JSON.parse(row.lineage) as TableName[];
  if (row.node.startsWith('r')) return selects.table([row, ...lineage]);
  if (selects.byTable || !selects.schema(row.schema)) return false;
  // Of a table that is not carried neither is its sequence, unless something else needs it.
  return lineage.every((owner) => selects.table([owner]));
}

async function schemaNames(client: pg.ClientBase): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT n.nspname AS name FROM pg_namespace n WHERE ${userSchema} AND ${outsideExtensions('pg_namespace', 'n.oid')}`,
  );
  return rows.map((row) => row.name);
}
