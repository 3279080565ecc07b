import { type Adapter, adapterParts } from '../adapters/adapter.js';
import { embeddingHash } from '../adapters/embedding.js';
import { controlNetwork } from '../controls/control-net.js';
import { originHash } from '../files/origin.js';
import { loraHandle } from '../loras/lora.js';
import type { Model } from '../models/model.js';
import type { Run } from './request.js';

/** SHA-256 of files by the parts that they were opened for. */
export type Hashes = Readonly<Record<string, string>>;

/** SHA-256 of everything that a run was drawn with and that is no picture. */
export interface Digests {
  readonly model: Hashes;
  /** In the order of the run's references: adapter, encoder, face networks and LoRA; an embedding's numbers. */
  readonly references: readonly { readonly files: Hashes; readonly embedding: string | undefined }[];
  readonly controls: readonly (string | undefined)[];
  readonly loras: readonly (string | undefined)[];
  /** Of the adapter whose face networks make the mask, where no reference is its. */
  readonly facesBy?: Hashes;
}

const hashesOf = async (opened: Readonly<Record<string, object | undefined>>): Promise<Hashes> => {
  const found: Record<string, string> = {};
  for (const [part, handle] of Object.entries(opened)) {
    const hash = handle && (await originHash(handle));
    if (hash !== undefined) found[part] = hash;
  }
  return found;
};

const adapterHashes = (adapter: Adapter): Promise<Hashes> => {
  const { network, encoder, faces, lora } = adapterParts(adapter);
  const { detector, recognizer } = faces ?? {};
  const own = lora?.deltas === network ? undefined : lora?.deltas;
  return hashesOf({ adapter: network, encoder: encoder?.network, detector, recognizer, lora: own });
};

const NONE: Digests = { model: {}, references: [], controls: [], loras: [] };

/** Reads the files that have no hash yet, one after the other; nothing where the pictures' files carry no record. */
export const digestsOf = async (run: Run, model: Model): Promise<Digests> => {
  if (!run.settings.metadata) return NONE;
  const towers = model.text.map(({ network }, i) => [i === 0 ? 'text_encoder' : `text_encoder_${i + 1}`, network]);
  const ofModel = await hashesOf({ unet: model.unet, vae: model.vae, ...Object.fromEntries(towers) });
  const references: Digests['references'][number][] = [];
  for (const { adapter, settings } of run.references) {
    references.push({
      files: await adapterHashes(adapter),
      embedding: settings.embedding && embeddingHash(settings.embedding),
    });
  }
  const controls: (string | undefined)[] = [];
  for (const { net } of run.controls) controls.push(await originHash(controlNetwork(net)));
  const loras: (string | undefined)[] = [];
  for (const lora of run.acting) loras.push(await originHash(loraHandle(lora)));
  const facesBy = run.facesBy && (await adapterHashes(run.facesBy));
  return { model: ofModel, references, controls, loras, ...(facesBy && { facesBy }) };
};
