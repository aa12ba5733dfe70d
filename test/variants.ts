/** Settings under which everything ends the same, as SLUICE_TUNING. */
export const variants = {
  'without folding': { fold: false },
  'batches of one event': { batchEvents: 1, applyEvents: 1 },
  'batches of very many events': { batchEvents: 200_000, applyEvents: 1_000_000 },
  'a checkpoint after every record': { checkpointBytes: 1 },
} as const;
