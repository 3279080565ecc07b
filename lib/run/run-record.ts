import { createHash } from 'node:crypto';
import { type Adapter, type AdapterParts, adapterParts } from '../adapters/adapter.js';
import type { RunRecord } from '../images/metadata.js';
import { defaultOf, recordedOf } from '../options/row.js';
import { ADAPTER } from '../options/table/attach.js';
import { CONTROL } from '../options/table/control.js';
import { FACE_FILES } from '../options/table/face.js';
import { GENERATE } from '../options/table/generate.js';
import { HIRES } from '../options/table/hires.js';
import { IMAGES } from '../options/table/load.js';
import { REFERENCE } from '../options/table/reference.js';
import type { Digests, Hashes } from './digests.js';
import { freeUFactors } from './less.js';
import type { RunSettings } from './options.js';
import type { Prepared } from './prepare.js';
import type { Run, RunContext } from './request.js';
import { version } from './version.js';

/** What of an adapter's face networks is not as usual. */
const faceFacts = ({ faces }: AdapterParts): object => {
  if (!faces) return {};
  const { detSize, detThreshold } = faces.settings;
  return {
    ...(detSize !== defaultOf(FACE_FILES, 'detSize') && { detSize }),
    ...(detThreshold !== defaultOf(FACE_FILES, 'detThreshold') && { detThreshold }),
  };
};

/** What found the face of the mask, where it is no reference's adapter. */
const facesRecord = (adapter: Adapter, sha256: Hashes): object => {
  const parts = adapterParts(adapter);
  const version = parts.version === undefined ? {} : { adapterVersion: parts.version };
  return { faces: { adapter: parts.name, ...version, ...faceFacts(parts), sha256 } };
};

const isEmpty = (hashes: object): boolean => Object.keys(hashes).length === 0;

/** One hash where all parts come of one file. */
const brief = (hashes: Hashes): Hashes | string => {
  const different = new Set(Object.values(hashes));
  return different.size === 1 ? [...different][0]! : hashes;
};

/** SHA-256 of a given face's numbers. */
const identityHash = (identity: Float32Array): string => createHash('sha256').update(identity).digest('hex');

/** A picture's place in the one draw of all; nothing where each has a generator of its own. */
export const batchOf = ({ batchNoise, seeds }: RunSettings, index: number) =>
  batchNoise === 'single' && seeds.length > 1 ? { batch: { index, count: seeds.length } } : {};

/** How one picture was made. */
export const recordOf = (
  run: Run,
  { host, model, limits }: Pick<RunContext, 'host' | 'model' | 'limits'>,
  { references: resolved, controls, words, passes, digests }: Prepared & { readonly digests: Digests },
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
      compositionImage: resolved[i]!.composition,
      embedding: digests.references[i]?.embedding,
      face: reference.face && identityHash(reference.face.identity),
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
    const { files = {} } = digests.references[i] ?? {};
    const facts = {
      ...version,
      ...closeUp,
      ...(reference.weights && { givenWeights: reference.weights }),
      ...faceFacts(own),
      ...(reference.region && { region: reference.region }),
      ...(own.faces && own.faceCrop !== defaultOf(ADAPTER, 'faceCrop') && { faceCrop: own.faceCrop }),
      ...(!isEmpty(files) && { sha256: files }),
    };
    return { ...fields, ...(used && { used }), variant: own.row.variant, ...facts };
  });
  const steered = run.controls.map(({ settings: control, net }, i) => ({
    ...recordedOf(CONTROL, { ...control, controlNet: net.name, image: controls[i]!.hash }),
    kind: net.info.kind,
    ...(digests.controls[i] !== undefined && { sha256: digests.controls[i] }),
  }));
  const init = passes[0]!.init;
  const own = {
    seed: seed.toString(),
    init: init && { ...init.record, ...(run.facesBy && facesRecord(run.facesBy, digests.facesBy ?? {})) },
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
    model: {
      name: model.name,
      family: model.family,
      ...(!isEmpty(digests.model) && { sha256: brief(digests.model) }),
    },
    // in bands, as auto does where it must, nothing changes
    ...(model.vaeTiling === 'always' && { vaeTiling: model.vaeTiling }),
    ...(limits.background !== defaultOf(IMAGES, 'background') && { imageBackground: limits.background }),
    loras: run.loras.map((lora, i) => ({
      ...lora,
      ...(digests.loras[i] !== undefined && { sha256: digests.loras[i] }),
    })),
    ...(words.length > 0 && { textEmbeddings: words.map(({ name, sha256 }) => ({ name, sha256 })) }),
  } as unknown as RunRecord; // that rows and fields agree, the table's test checks
};
