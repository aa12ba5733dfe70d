import { quoteIdentifier } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { madeByUser } from './user-objects.ts';

interface LanguageRow {
  oid: string;
  name: string;
  trusted: string;
  handler: string;
  inline: string | null;
  validator: string | null;
}

/** Languages made by hand; most come with an extension. */
export const readLanguages: KindReader = async ({ client }) => {
  const { rows } = await client.query<LanguageRow>(
    `SELECT l.oid, l.lanname AS name, l.lanpltrusted AS trusted, l.lanplcallfoid::regproc::text AS handler,
      nullif(l.laninline, 0)::regproc::text AS inline, nullif(l.lanvalidator, 0)::regproc::text AS validator
    FROM pg_language l WHERE l.lanispl AND ${madeByUser('pg_language', 'l.oid')}
    ORDER BY 2`,
  );
  return rows.map(({ oid, name, trusted, handler, inline, validator }) => {
    const parts = [`CREATE ${trusted === 't' ? 'TRUSTED ' : ''}LANGUAGE ${quoteIdentifier(name)} HANDLER ${handler}`];
    if (inline !== null) parts.push(`INLINE ${inline}`);
    if (validator !== null) parts.push(`VALIDATOR ${validator}`);
    return {
      key: `pg_language:${oid}`,
      section: 'pre-data',
      kind: 'language',
      schema: '',
      name,
      table: null,
      sql: parts.join(' '),
      target: `LANGUAGE ${quoteIdentifier(name)}`,
    };
  });
};

interface MethodRow {
  oid: string;
  name: string;
  type: 'i' | 't';
  handler: string;
}

export const readAccessMethods: KindReader = async ({ client }) => {
  const { rows } = await client.query<MethodRow>(
    `SELECT m.oid, m.amname AS name, m.amtype AS type, m.amhandler::text AS handler
    FROM pg_am m WHERE ${madeByUser('pg_am', 'm.oid')}
    ORDER BY 2`,
  );
  return rows.map(({ oid, name, type, handler }) => ({
    key: `pg_am:${oid}`,
    section: 'pre-data',
    kind: 'access method',
    schema: '',
    name,
    table: null,
    sql: `CREATE ACCESS METHOD ${quoteIdentifier(name)} TYPE ${type === 'i' ? 'INDEX' : 'TABLE'} HANDLER ${handler}`,
    target: `ACCESS METHOD ${quoteIdentifier(name)}`,
  }));
};
