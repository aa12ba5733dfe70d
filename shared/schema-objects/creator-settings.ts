/**
 * What pg_dump sets too, and what would give objects another shape than their statements say; where the server knows
 * it. Sessions of ours have search_path and the like from their start (shared/postgres/connection.ts).
 */
export const creatorSettings: Readonly<Record<string, string>> = {
  check_function_bodies: 'off',
  default_tablespace: '',
  default_table_access_method: 'heap',
  default_toast_compression: 'pglz',
  default_with_oids: 'off',
  transform_null_equals: 'off',
};
