import { type ConnectionOptions, checkServerIdentity, type PeerCertificate } from 'node:tls';

/** As libpq's sslmode. `prefer`: TLS when the server offers it. */
export const tlsModes = ['disable', 'prefer', 'require', 'verify-ca', 'verify-full'] as const;
export type TlsMode = (typeof tlsModes)[number];

/** All but mode are PEM texts (not paths). */
export interface TlsSettings {
  readonly mode: TlsMode;
  readonly ca?: string | undefined;
  readonly certificate?: string | undefined;
  readonly key?: string | undefined;
  readonly keyPassword?: string | undefined;
}

/**
 * Node's TLS options for a mode; false for plaintext.
 * verify-ca checks the chain but not the name; require and prefer check neither, unless a CA is given
 * (then the chain is checked, as libpq does).
 * @see https://www.postgresql.org/docs/current/libpq-ssl.html
 */
export function tlsOptions(tls: TlsSettings, host: string): ConnectionOptions | false {
  if (tls.mode === 'disable' || host.startsWith('/')) return false;
  const verifyChain = tls.mode === 'verify-ca' || tls.mode === 'verify-full' || tls.ca !== undefined;
  return {
    rejectUnauthorized: verifyChain,
    checkServerIdentity: tls.mode === 'verify-full' ? sameHost(host) : () => undefined,
    ...(tls.ca === undefined ? {} : { ca: tls.ca }),
    ...(tls.certificate === undefined ? {} : { cert: tls.certificate }),
    ...(tls.key === undefined ? {} : { key: tls.key }),
    ...(tls.keyPassword === undefined ? {} : { passphrase: tls.keyPassword }),
  };
}

/** pg names no host to TLS when it is an address, and Node would then check the certificate against `localhost`. */
function sameHost(host: string) {
  return (_name: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate);
}
