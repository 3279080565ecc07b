import { adapterParts } from '../adapters/adapter.js';
import type { RunRecord } from '../images/metadata.js';
import { defaultOf, recordedOf } from '../options/row.js';
import { CONTROL } from '../options/table/control.js';
import { GENERATE } from '../options/table/generate.js';
import { HIRES } from '../options/table/hires.js';
import { REFERENCE } from '../options/table/reference.js';
import { freeUFactors } from './less.js';
import type { RunSettings } from './options.js';
import type { Prepared } from './prepare.js';
import type { Run, RunContext } from './request.js';
import { version } from './version.js';

/** A picture's place in the one draw of all; nothing where each has a generator of its own. */
export const batchOf = ({ batchNoise, seeds }: RunSettings, index: number) =>
  batchNoise === 'single' && seeds.length > 1 ? { batch: { index, count: seeds.length } } : {};

/** How one picture was made. */
export const recordOf = (
  run: Run,
  { host, model }: Pick<RunContext, 'host' | 'model'>,
  { references: resolved, controls, words, passes }: Prepared,
  { index, seed }: { readonly index: number; readonly seed: bigint },
): RunRecord => {
  const { settings } = run;
  const references = run.references.map(({ settings: reference, adapter }, i) => {
    const own = adapterParts(adapter);
    const isV2 = own.version === 'v2';
    const fields = recordedOf(REFERENCE, {
      ...reference,
      adapter: own.name,
      images: resolved[i]!.hashes,
      mask: resolved[i]!.mask,
      weights: resolved[i]!.weights,
      clipMask: resolved[i]!.clipMask,
      negative: resolved[i]!.negative,
      loraScale: run.loraScales.get(adapter),
      structureScale: isV2 ? (reference.structureScale ?? defaultOf(REFERENCE, 'structureScale')) : undefined,
    });
    const version = own.version === undefined ? {} : { adapterVersion: own.version };
    const { used } = resolved[i]!;
    const closeUp = own.cropFace && own.faces && reference.images.length > 0 ? { cropFace: true } : {};
    return { ...fields, ...(used && { used }), variant: own.row.variant, ...version, ...closeUp };
  });
  const steered = run.controls.map(({ settings: control, net }, i) => ({
    ...recordedOf(CONTROL, { ...control, controlNet: net.name, image: controls[i]!.hash }),
    kind: net.info.kind,
  }));
  const own = {
    seed: seed.toString(),
    init: passes[0]!.init?.record,
    hires: settings.hires && recordedOf(HIRES, { ...settings.hires }),
    freeU: freeUFactors(settings, model),
    references,
    controls: steered.length > 0 ? steered : undefined,
  };
  const fields = recordedOf(GENERATE, { ...settings, ...own });
  return {
    version: 1,
    package: `node-ip-adapter ${version}`,
    ...fields,
    ...batchOf(settings, index),
    device: host.device,
    dtype: host.engine.info.dtype,
    model: { name: model.name, family: model.family },
    loras: run.loras,
    ...(words.length > 0 && { textEmbeddings: words.map(({ name, sha256 }) => ({ name, sha256 })) }),
  } as unknown as RunRecord; // that rows and fields agree, the table's test checks
};
