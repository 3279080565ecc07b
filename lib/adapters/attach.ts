import { FaceAnalyzer, FaceNetworks } from '../faces/face.js';
import { faceSettings } from '../faces/options.js';
import { samePath, stem } from '../files/files.js';
import { checkHash } from '../files/hash.js';
import { knownFile } from '../files/known-files.js';
import { cameFrom } from '../files/origin.js';
import { native } from '../native/native.js';
import type { Lease, Shared } from '../native/shared.js';
import type { NetworkHandle, Stop } from '../native/types.js';
import type { AdapterInfo, AdapterParts } from './adapter.js';
import { adapterLora } from './companion.js';
import { type ImageEncoder, loadEncoder } from './encoder.js';
import type { AdapterSettings } from './options.js';
import { type PlanContext, planAttachment } from './plan-attachment.js';
import { expectsFaceCrop } from './presets.js';
import { encoderName } from './variants.js';

/** What attaching needs of a pipeline. */
export interface AttachContext extends PlanContext {
  readonly unet: NetworkHandle;
  /** It and the text encoders: what LoRAs change. */
  readonly networks: readonly NetworkHandle[];
  readonly allowNonFinite: boolean;
  /** What several adapters use. */
  readonly encoders: Shared<ImageEncoder>;
  readonly faces: Shared<FaceNetworks>;
}

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

/** The weights of an adapter that was planned, with what belongs to it, smallest things first. */
export const attach = async (
  context: AttachContext,
  file: string,
  settings: AdapterSettings,
  stop: Stop,
): Promise<{ parts: AdapterParts; info: AdapterInfo }> => {
  const { host, unet, allowNonFinite, warn } = context;
  const checked = settings.sha256 === undefined ? undefined : await checkHash(file, settings.sha256);
  const plan = await planAttachment(context, file, settings, stop);
  const { row, needs, version, encoderFile } = plan;
  const identity = needs.identity > 0;
  if (settings.cropFace && identity)
    warn('OPTION_CONFLICT', `cropFace has no effect: ${stem(file)} reads identities and close-ups as it is`);
  const cropFace = !identity && (settings.cropFace ?? expectsFaceCrop(settings.preset, file, row.variant));
  const undo: (() => void)[] = [];
  const free = (): void => {
    for (const action of undo.splice(0)) action();
  };
  try {
    const faces = await openFaces(context, settings.face, file, { identity, closeUp: cropFace }, stop);
    if (faces) undo.push(faces.release);
    const network = await native(
      host.engine.load({ kind: 'adapter', source: { path: file }, unet, allowNonFinite, stop }),
    );
    undo.push(() => network.dispose());
    await cameFrom(network, file);
    await checked?.stillHolds();
    const { info } = network;
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
