import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';

export const readSchemas: KindReader = async ({ scope }) =>
  scope.schemas.map((name) => ({
    section: 'pre-data',
    kind: 'schema',
    schema: name,
    name,
    table: null,
    sql: `CREATE SCHEMA ${quoteIdentifier(name)}`,
  }));
