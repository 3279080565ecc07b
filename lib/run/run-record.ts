import { adapterParts } from '../adapters/adapter.js';
import type { ResolvedReference } from '../adapters/resolve.js';
import type { RunRecord } from '../images/metadata.js';
import { DEFAULTS } from '../options/defaults.js';
import type { Run, RunContext } from './request.js';
import { version } from './version.js';

/** How one picture was made. */
export const recordOf = (
  run: Run,
  { host, model }: Pick<RunContext, 'host' | 'model'>,
  resolved: readonly ResolvedReference[],
  seed: bigint,
): RunRecord => {
  const { settings } = run;
  const optional = <K extends string, V>(key: K, value: V | undefined): Partial<Record<K, V>> =>
    value === undefined ? {} : ({ [key]: value } as Record<K, V>);
  return {
    version: 1,
    package: `node-ip-adapter ${version}`,
    prompt: settings.prompt,
    ...optional('negativePrompt', settings.negativePrompt),
    promptSyntax: settings.promptSyntax,
    width: settings.width,
    height: settings.height,
    steps: settings.steps,
    guidanceScale: settings.guidanceScale,
    guidanceRescale: settings.guidanceRescale,
    seed: seed.toString(),
    sampler: settings.sampler,
    ...optional('schedule', settings.schedule),
    ...optional('spacing', settings.spacing),
    ...optional('prediction', settings.prediction),
    ...optional('eta', settings.eta),
    clipSkip: settings.clipSkip,
    noise: 'torch-cpu',
    device: 'cpu',
    dtype: host.engine.info.dtype,
    model: { name: model.name, family: model.family },
    loras: run.loras,
    references: run.references.map(({ settings: reference, adapter }, i) => {
      const own = adapterParts(adapter);
      const isV2 = own.version === 'v2';
      return {
        adapter: own.name,
        variant: own.row.variant,
        ...optional('adapterVersion', own.version),
        images: resolved[i]!.hashes,
        scale: reference.scale,
        ...optional('loraScale', own.network.info.loraRank ? (reference.loraScale ?? own.loraScale) : undefined),
        ...optional('weights', reference.weights),
        ...optional('structureScale', isV2 ? (reference.structureScale ?? DEFAULTS.structureScale) : undefined),
        ...optional('pickFace', reference.pickFace),
      };
    }),
    ...optional('label', settings.label),
    ...optional('note', settings.note),
  };
};
