import { adapterParts } from '../adapters/adapter.js';
import { checkNeed } from '../models/need.js';
import type { Run, RunContext } from './request.js';

/** Refuses a run whose picture does not fit the budget, before anything of it is done. */
export const checkRunNeed = async (run: Run, { host, model, stop }: RunContext): Promise<void> => {
  const { settings, schedule, references } = run;
  const used = [...new Set(references.map(({ adapter }) => adapterParts(adapter)))];
  const beside = used.reduce(
    (bytes, { network, encoder }) => bytes + network.info.bytes + (encoder?.network.info.bytes ?? 0),
    0,
  );
  const picture = {
    width: settings.width / model.factor,
    height: settings.height / model.factor,
    batch: settings.guidanceScale > 1 ? 2 : 1,
    chunks: 1,
    calls: Math.max(schedule.rows.length, 1),
    promptTokens: references.map(({ adapter }) => adapterParts(adapter).network.info.tokensPerImage || 4),
  };
  const networks = { ...model, text: model.text.map(({ network }) => network) };
  await checkNeed(host, networks, picture, stop, beside);
};
