// Preloaded into a service: its wall clock jumps with each SIGUSR2, by the next of SLUICE_CLOCK_JUMPS, in milliseconds.
const jumps = (process.env.SLUICE_CLOCK_JUMPS ?? '').split(',').filter(Boolean).map(Number);
const RealDate = globalThis.Date;
let shift = 0;

process.on('SIGUSR2', () => {
  shift += jumps.shift() ?? 0;
  process.stderr.write(`clock ${new Date().toISOString()}\n`);
});

globalThis.Date = class extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(RealDate.now() + shift);
    else super(...parts);
  }

  static now() {
    return RealDate.now() + shift;
  }
};
