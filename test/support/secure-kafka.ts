import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launchJava, runJava } from '../../deploy/local/java.ts';
import { checkoutDir, localDir } from '../../deploy/local/paths.ts';
import { freePort } from '../../deploy/local/ports.ts';
import { end } from '../../deploy/local/process.ts';
import { temporaryDir } from './own-servers.ts';

export const USER = 'alice';
export const PASSWORD = 'correct horse';

/** A broker whose clients must speak TLS and give a password, by PLAIN or SCRAM. */
export interface SecureKafka extends AsyncDisposable {
  readonly brokers: readonly string[];
  /** PEM of the certificate that signs the broker's. */
  readonly ca: string;
}

const STORE_PASSWORD = 'changeit';

export async function secureKafka(): Promise<SecureKafka> {
  const dir = temporaryDir('secure-kafka');
  const ca = makeCertificate(dir);
  const [port, internal, controller] = [await freePort(), await freePort(), await freePort()];
  const properties = join(dir, 'server.properties');
  writeFileSync(properties, serverProperties(dir, { port, internal, controller }));
  const java = ['-Xmx256m', '-XX:TieredStopAtLevel=1', '-cp', `${join(localDir, 'kafka', 'libs')}/*`];
  const scram = ['SCRAM-SHA-256', 'SCRAM-SHA-512'].flatMap((mechanism) => [
    '--add-scram',
    `${mechanism}=[name=${USER},password=${PASSWORD}]`,
  ]);
  const id = randomBytes(16).toString('base64url');
  await runJava([...java, 'kafka.tools.StorageTool', 'format', '-t', id, '-c', properties, ...scram]);
  const logging = `-Dlog4j2.configurationFile=${join(checkoutDir, 'deploy', 'local', 'kafka', 'log4j2.properties')}`;
  const args = [logging, ...java, 'kafka.Kafka', properties];
  const broker = await launchJava({ args, cwd: dir, log: join(dir, 'broker.log') });
  return {
    brokers: [`localhost:${port}`],
    ca,
    async [Symbol.asyncDispose]() {
      await end(broker, 'SIGKILL');
      rmSync(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}

/** Signed by itself, so that it is its own CA. */
function makeCertificate(dir: string): string {
  const keytool = process.env['JAVA_HOME'] ? join(process.env['JAVA_HOME'], 'bin', 'keytool') : 'keytool';
  const store = [
    '-alias',
    'broker',
    '-keystore',
    join(dir, 'store.p12'),
    '-storetype',
    'PKCS12',
    '-storepass',
    STORE_PASSWORD,
  ];
  const name = ['-dname', 'CN=localhost', '-ext', 'san=dns:localhost,ip:127.0.0.1', '-ext', 'bc:c', '-validity', '30'];
  execFileSync(keytool, ['-genkeypair', '-keyalg', 'RSA', ...store, ...name], { stdio: 'pipe' });
  return execFileSync(keytool, ['-exportcert', '-rfc', ...store], { stdio: 'pipe' }).toString();
}

function serverProperties(dir: string, ports: { port: number; internal: number; controller: number }): string {
  const plain = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${USER}="${PASSWORD}";`;
  const scram = 'org.apache.kafka.common.security.scram.ScramLoginModule required;';
  const properties: Record<string, string | number> = {
    'process.roles': 'broker,controller',
    'node.id': 1,
    'controller.quorum.voters': `1@127.0.0.1:${ports.controller}`,
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'INTERNAL',
    'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,CLIENT:SASL_SSL',
    listeners: `INTERNAL://127.0.0.1:${ports.internal},CLIENT://localhost:${ports.port},CONTROLLER://127.0.0.1:${ports.controller}`,
    'log.dirs': join(dir, 'data'),
    'offsets.topic.replication.factor': 1,
    'ssl.keystore.location': join(dir, 'store.p12'),
    'ssl.keystore.password': STORE_PASSWORD,
    'ssl.keystore.type': 'PKCS12',
    'sasl.enabled.mechanisms': 'PLAIN,SCRAM-SHA-256,SCRAM-SHA-512',
    'listener.name.client.plain.sasl.jaas.config': plain,
    'listener.name.client.scram-sha-256.sasl.jaas.config': scram,
    'listener.name.client.scram-sha-512.sasl.jaas.config': scram,
  };
  return Object.entries(properties)
    .map(([name, value]) => `${name}=${value}\n`)
    .join('');
}
