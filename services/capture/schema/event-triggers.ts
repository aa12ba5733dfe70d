import { quoteIdentifier, quoteLiteral } from '../../../shared/postgres/identifiers.ts';
import type { KindReader } from './described-object.ts';
import { madeByUser } from './user-objects.ts';

interface EventTriggerRow {
  oid: string;
  name: string;
  event: string;
  /** As JSON. */
  tags: string | null;
  function: string;
  enabled: 'O' | 'D' | 'R' | 'A';
}

const states = { O: null, D: 'DISABLE', R: 'ENABLE REPLICA', A: 'ENABLE ALWAYS' } as const;

/** At cutover: until then the schema is still being made. Sluice's own are none of the user's. */
export const readEventTriggers: KindReader = async ({ client, options }) => {
  const { rows } = await client.query<EventTriggerRow>(
    `SELECT t.oid, t.evtname AS name, t.evtevent AS event, array_to_json(t.evttags) AS tags,
      t.evtfoid::regproc::text AS function, t.evtenabled AS enabled
    FROM pg_event_trigger t JOIN pg_proc p ON p.oid = t.evtfoid JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname <> 'sluice' AND ${madeByUser('pg_event_trigger', 't.oid')}
    ORDER BY 2`,
  );
  return rows.map(({ oid, name, event, tags, function: routine, enabled }) => {
    const target = `EVENT TRIGGER ${quoteIdentifier(name)}`;
    const list = tags === null ? '' : (JSON.parse(tags) as string[]).map(quoteLiteral).join(', ');
    const when = list === '' ? '' : ` WHEN TAG IN (${list})`;
    const create = `CREATE ${target} ON ${quoteIdentifier(event)}${when} EXECUTE PROCEDURE ${routine}()`;
    const state = states[enabled];
    return {
      key: `pg_event_trigger:${oid}`,
      section: 'cutover',
      kind: 'event trigger',
      schema: '',
      name,
      table: null,
      sql: state === null ? create : `${create}; ALTER ${target} ${state}`,
      target,
      ...(options.eventTriggers ? {} : { leftOut: 'event triggers are carried with schema.eventTriggers only' }),
    };
  });
};
