import type { SchemaObject } from '../../../shared/envelope/schema-object.ts';
import type { HeldService } from '../processes/service-process.ts';

/**
 * The schema objects of the source as it is now, in creation order. Capture alone knows the source's schema: one that
 * is held is asked.
 * @throws SluiceError what it reported: POSTGRES_*
 */
export async function describeSource(capture: HeldService): Promise<SchemaObject[]> {
  return (await capture.ask()) as SchemaObject[];
}
