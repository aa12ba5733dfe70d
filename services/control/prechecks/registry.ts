import { registryRequest } from '../registry-request.ts';
import { precheck } from './finding.ts';

/** Not to reach it, or to be refused, is an error of looking. */
export const registryAnswers = precheck({
  name: 'schema registry',
  look: ({ task }) => registryRequest(task.kafka.registry, 'GET', '/subjects'),
  judge: () => [],
});
