import { adapterParts } from '../adapters/adapter.js';
import { checkNeed } from '../models/need.js';
import { actsIn } from './passes.js';
import type { Run, RunContext } from './request.js';

/** Refuses a run of which a pass does not fit the budget, before anything of it is done. */
export const checkRunNeed = async (run: Run, { host, model, stop }: RunContext): Promise<void> => {
  const { settings, passes, references } = run;
  const used = [...new Set(references.map(({ adapter }) => adapterParts(adapter)))];
  const beside = used.reduce(
    (bytes, { network, encoder }) => bytes + network.info.bytes + (encoder?.network.info.bytes ?? 0),
    0,
  );
  const networks = { ...model, text: model.text.map(({ network }) => network) };
  for (const pass of passes) {
    const acting = references.filter(({ settings: { passes: asked } }) => actsIn(pass, asked));
    const picture = {
      width: pass.width / model.factor,
      height: pass.height / model.factor,
      batch: settings.guidanceScale > 1 ? 2 : 1,
      chunks: 1,
      calls: Math.max(pass.schedule.rows.length, 1),
      promptTokens: acting.map(({ adapter }) => adapterParts(adapter).network.info.tokensPerImage || 4),
    };
    await checkNeed(host, networks, picture, stop, beside);
  }
};
