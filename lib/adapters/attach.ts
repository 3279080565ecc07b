import { FaceAnalyzer, FaceNetworks } from '../faces/face.js';
import { faceSettings } from '../faces/options.js';
import { samePath, stem } from '../files/files.js';
import { checkKind } from '../files/kinds.js';
import { knownFile } from '../files/known-files.js';
import type { EngineHost } from '../native/engine.js';
import { native } from '../native/native.js';
import type { Lease, Shared } from '../native/shared.js';
import type { NetworkHandle, NetworkInfo, Stop } from '../native/types.js';
import type { Warn } from '../warnings.js';
import type { AdapterInfo, AdapterParts } from './adapter.js';
import { readsCloseUps } from './close-up.js';
import { adapterLora } from './companion.js';
import { findEncoder, type ImageEncoder, loadEncoder } from './encoder.js';
import type { AdapterSettings } from './options.js';
import { encoderName, needsOf, variantRow } from './variants.js';

/** What attaching needs of a pipeline. */
export interface AttachContext {
  readonly host: EngineHost;
  readonly unet: NetworkHandle;
  /** It and the text encoders: what LoRAs change. */
  readonly networks: readonly NetworkHandle[];
  readonly modelFolder: string | undefined;
  readonly allowNonFinite: boolean;
  readonly warn: Warn;
  /** What several adapters use. */
  readonly encoders: Shared<ImageEncoder>;
  readonly faces: Shared<FaceNetworks>;
}

/** v1 and v2 of FaceID Plus have the same tensors: the option, else the file's hash, else v2 with a warning. */
const versionOf = async (
  file: string,
  info: NetworkInfo,
  given: 'v1' | 'v2' | undefined,
  warn: Warn,
): Promise<'v1' | 'v2' | undefined> => {
  if (info.variant !== 'faceid-plus' && info.variant !== 'kolors-faceid-plus') {
    if (given !== undefined)
      warn(
        'OPTION_CONFLICT',
        `version acts on FaceID Plus only, ${stem(file)} is ${info.variant ?? 'another variant'}`,
      );
    return undefined;
  }
  if (given !== undefined) return given;
  const known = (await knownFile(file))?.version;
  if (known !== undefined) return known;
  const isXl = info.family === 'SDXL' || info.variant === 'kolors-faceid-plus'; // no v1 exists there
  const name = stem(file).toLowerCase();
  const doubt = name.includes('plus') && !name.includes('v2') ? ', though its name speaks of plus without v2' : '';
  if (!isXl)
    warn(
      'ADAPTER_VERSION_ASSUMED',
      `${stem(file)} is taken as FaceID Plus v2${doubt}; the option version says which it is`,
    );
  return 'v2';
};

/** Face networks of the adapter's: a FaceAnalyzer's stay its own, files are loaded and shared. */
const openFaces = async (
  context: AttachContext,
  given: unknown,
  file: string,
  used: { readonly identity: boolean; readonly closeUp: boolean },
  stop: Stop,
): Promise<Lease<FaceNetworks> | undefined> => {
  const { host, warn } = context;
  if (given === undefined) return undefined;
  const analyzer = given instanceof FaceAnalyzer ? given.networks : undefined;
  const settings = analyzer ? undefined : faceSettings(given, 'face');
  if (!used.identity && !used.closeUp) {
    warn('OPTION_CONFLICT', `face is not used: ${stem(file)} reads whole pictures, not identities`);
    return undefined;
  }
  const faces = analyzer
    ? { value: analyzer, release: () => undefined }
    : await context.faces.take(JSON.stringify(settings), () => FaceNetworks.load(host, settings!, stop));
  if (used.identity && !faces.value.verified) {
    warn(
      'FACE_RECOGNIZER_UNVERIFIED',
      'The recogniser is none that is known to fit FaceID adapters; another one gives likeness to nobody',
    );
  }
  return faces;
};

/** Loads an adapter with what belongs to it, smallest things first: nothing large is read before the parts fit. */
export const attach = async (
  context: AttachContext,
  file: string,
  settings: AdapterSettings,
  stop: Stop,
): Promise<{ parts: AdapterParts; info: AdapterInfo }> => {
  const { host, unet, modelFolder, allowNonFinite, warn } = context;
  const open = (): Promise<NetworkHandle> =>
    native(host.engine.load({ kind: 'adapter', source: { path: file }, unet, allowNonFinite, stop }));
  const { kind, adapter: facts } = await native(host.engine.inspect(file, { stop }));
  checkKind(file, kind, 'addAdapter');
  // no adapter, or one for another base: the loader refuses it in its own words, from the header
  if (!facts || facts.context !== unet.info.context) (await open()).dispose();
  const found: NetworkInfo = facts ?? { kind: 'adapter', bytes: 0, parameters: 0, warnings: [] };
  const row = variantRow(found.variant);
  const needs = needsOf(found, settings.encoder !== undefined);
  const encoderFile =
    needs.encoder && (await findEncoder(host, file, needs.encoder, settings.encoder, modelFolder, stop));
  if (settings.encoder !== undefined && !needs.encoder)
    warn('OPTION_CONFLICT', `encoder is not used: ${stem(file)} reads identities alone`);
  const identity = needs.identity > 0;
  if (settings.cropFace && identity)
    warn('OPTION_CONFLICT', `cropFace has no effect: ${stem(file)} reads identities and close-ups as it is`);
  const cropFace = !identity && (settings.cropFace ?? readsCloseUps(row.variant, stem(file)));
  const undo: (() => void)[] = [];
  const free = (): void => {
    for (const action of undo.splice(0)) action();
  };
  try {
    const faces = await openFaces(context, settings.face, file, { identity, closeUp: cropFace }, stop);
    if (faces) undo.push(faces.release);
    const version = await versionOf(file, found, settings.version, warn);
    const network = await open();
    undo.push(() => network.dispose());
    const { info } = network;
    for (const { code, message } of info.warnings) warn(code, message);
    const companion = { file, companion: settings.lora, network, row, version };
    const lora = await adapterLora({ host, networks: context.networks, warn, stop }, companion);
    const encoder =
      encoderFile === undefined
        ? undefined
        : await context.encoders.take(await samePath(encoderFile), () =>
            loadEncoder(host, encoderFile, allowNonFinite, stop),
          );
    if (encoder) undo.push(encoder.release);
    const licence = (await knownFile(file))?.licence ?? row.licence;
    return {
      parts: {
        name: settings.name ?? stem(file),
        network,
        row,
        needs,
        version,
        encoder: encoder && { ...encoder.value, need: needs.encoder! },
        faces: faces?.value,
        faceCrop: settings.faceCrop,
        lora,
        cropFace,
        loraScale: settings.loraScale,
        licences: [licence, ...(faces?.value.licences ?? [])],
        unconditional: new Map(),
        free,
      },
      info: {
        variant: row.variant,
        ...(version === undefined ? {} : { version }),
        tokens: info.tokensPerImage ?? 0,
        ...(needs.encoder ? { encoder: encoderName(needs.encoder) } : {}),
        needsFace: needs.identity > 0,
        loraRank: lora?.rank ?? 0,
        licence,
        hint: row.hint,
      },
    };
  } catch (error) {
    free();
    throw error;
  }
};
