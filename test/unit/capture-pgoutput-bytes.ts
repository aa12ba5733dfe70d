/** Builds pgoutput messages byte by byte, from PostgreSQL's page on logical replication message formats. */

export const MICROSECONDS_TO_2000 = 946_684_800_000_000n;

export type Field = string | null | undefined | Buffer;

export function int8(value: number): Buffer {
  return Buffer.from([value & 0xff]);
}

export function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value >>> 0);
  return bytes;
}

export function int64(value: bigint): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
}

export function cstring(text: string): Buffer {
  return Buffer.concat([Buffer.from(text), int8(0)]);
}

/** null: NULL; undefined: unchanged TOAST. */
export function tuple(fields: readonly Field[]): Buffer {
  return Buffer.concat([int16(fields.length), ...fields.map(field)]);
}

function field(value: Field): Buffer {
  if (value === null) return Buffer.from('n');
  if (value === undefined) return Buffer.from('u');
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return Buffer.concat([Buffer.from('t'), int32(bytes.length), bytes]);
}

export function begin({ commitLsn, commitTime, xid }: { commitLsn: bigint; commitTime: bigint; xid: number }): Buffer {
  return Buffer.concat([Buffer.from('B'), int64(commitLsn), int64(commitTime - MICROSECONDS_TO_2000), int32(xid)]);
}

export function commit({ commitLsn, endLsn, commitTime }: { commitLsn: bigint; endLsn: bigint; commitTime: bigint }) {
  return Buffer.concat([Buffer.from('C\0'), int64(commitLsn), int64(endLsn), int64(commitTime - MICROSECONDS_TO_2000)]);
}

export interface RelationBytes {
  oid: number;
  schema: string;
  name: string;
  identity: 'd' | 'n' | 'f' | 'i';
  columns: readonly { key: boolean; name: string; typeOid: number; typmod: number }[];
}

export function relation({ oid, schema, name, identity, columns }: RelationBytes): Buffer {
  const described = columns.map((column) =>
    Buffer.concat([int8(column.key ? 1 : 0), cstring(column.name), int32(column.typeOid), int32(column.typmod)]),
  );
  const head = [Buffer.from('R'), int32(oid), cstring(schema), cstring(name), Buffer.from(identity)];
  return Buffer.concat([...head, int16(columns.length), ...described]);
}

export function insert(oid: number, fields: readonly Field[]): Buffer {
  return Buffer.concat([Buffer.from('I'), int32(oid), Buffer.from('N'), tuple(fields)]);
}

export function update(oid: number, fields: readonly Field[], old?: { kind: 'K' | 'O'; fields: readonly Field[] }) {
  const before = old ? [Buffer.from(old.kind), tuple(old.fields)] : [];
  return Buffer.concat([Buffer.from('U'), int32(oid), ...before, Buffer.from('N'), tuple(fields)]);
}

export function remove(oid: number, kind: 'K' | 'O', fields: readonly Field[]): Buffer {
  return Buffer.concat([Buffer.from('D'), int32(oid), Buffer.from(kind), tuple(fields)]);
}

export function truncate(oids: readonly number[], flags: number): Buffer {
  return Buffer.concat([Buffer.from('T'), int32(oids.length), int8(flags), ...oids.map(int32)]);
}

export function logicalMessage(flags: number, lsn: bigint, prefix: string, content: string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from('M'), int8(flags), int64(lsn), cstring(prefix), int32(bytes.length), bytes]);
}

/** orders(id int primary key, note text). */
export const orders: RelationBytes = {
  oid: 3_000_000_001,
  schema: 'public',
  name: 'orders',
  identity: 'd',
  columns: [
    { key: true, name: 'id', typeOid: 23, typmod: -1 },
    { key: false, name: 'note', typeOid: 25, typmod: -1 },
  ],
};
