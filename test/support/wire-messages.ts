/** A message of PostgreSQL's protocol: kind, length, body. */
export function message(kind: string, body: Buffer | string): Buffer {
  const bytes = Buffer.from(body);
  const header = Buffer.from(`${kind}....`);
  header.writeInt32BE(bytes.length + 4, 1);
  return Buffer.concat([header, bytes]);
}

/** The bytes in pieces of the given sizes, over and over. */
export function cutUp(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const parts: Buffer[] = [];
  for (let at = 0, i = 0; at < bytes.length; i += 1) {
    const size = sizes[i % sizes.length] ?? 1;
    parts.push(bytes.subarray(at, at + size));
    at += size;
  }
  return parts;
}
