import { dirname, join } from 'node:path';
import type { AddAdapterOptions } from '../adapters/options.js';
import { isFile } from '../files/files.js';
import { fileHash } from '../files/origin.js';
import { weightsIn } from '../files/weights.js';
import type { Recorded, RecordedAdapter } from './fields.js';
import type { Finder } from './find.js';

/** Something that a record names and that was not found. */
export interface Missing {
  /** Its place in the record and its kind: `references[0].images[1]`, `loras[0]`, `model`. */
  readonly what: string;
  /** The name that the record has for it. */
  readonly name?: string;
  /** What it would be known by; undefined where the record does not say. */
  readonly sha256?: string;
}

/** A file to attach, and how. */
export interface ToAttach<O> {
  readonly file: string;
  readonly options: O;
}

/** Finds the weights of a record, and keeps a list of what is missing. */
export class WeightFinder {
  readonly missing: Missing[] = [];

  constructor(readonly finder: Finder) {}

  lacks(what: string, name: string | undefined, sha256: string | undefined): void {
    this.missing.push({ what, ...(name !== undefined && { name }), ...(sha256 !== undefined && { sha256 }) });
  }

  async file(what: string, name: string, sha256: string | undefined): Promise<string | undefined> {
    const found = sha256 === undefined ? undefined : await this.finder.file(sha256, name);
    if (found === undefined) this.lacks(what, name, sha256);
    return found;
  }

  /** The model's file or folder, and its VAE where that is of elsewhere. */
  async model({ name, sha256 }: Recorded['model']): Promise<{ readonly model: string; readonly vae?: string }> {
    if (typeof sha256 === 'string') return { model: (await this.file('model', name, sha256)) ?? '' };
    const { vae, ...own } = sha256 ?? {};
    const { unet, text_encoder: text } = own;
    if (unet === undefined) {
      this.lacks('model', name, undefined);
      return { model: '' };
    }
    const model = unet === text ? await this.finder.file(unet, name) : await this.#folder(name, own);
    if (model === undefined) this.lacks('model', name, unet);
    if (vae === undefined || model === undefined || (await hasVae(model, vae))) return { model: model ?? '' };
    const other = await this.file('model.vae', name, vae);
    return { model, ...(other !== undefined && { vae: other }) };
  }

  /** The diffusers folder of which all networks but the VAE are these. */
  async #folder(name: string, hashes: Readonly<Record<string, string>>): Promise<string | undefined> {
    for await (const path of this.finder.files(hashes.unet!, name)) {
      const folder = dirname(dirname(path));
      if (!(await isFile(join(folder, 'model_index.json')))) continue;
      const others = Object.entries(hashes).filter(([part]) => part !== 'unet');
      const same = await Promise.all(others.map(([part, hash]) => holds(join(folder, part), TOWERS, hash)));
      if (same.every(Boolean)) return folder;
    }
    return undefined;
  }

  async adapter(what: string, it: RecordedAdapter): Promise<ToAttach<AddAdapterOptions> | undefined> {
    const { adapter: name, sha256 } = it;
    const part = async (key: string): Promise<string | undefined> =>
      sha256[key] === undefined ? undefined : this.file(`${what}.${key}`, name, sha256[key]);
    const file = await this.file(`${what}.adapter`, name, sha256.adapter);
    const [encoder, lora] = [await part('encoder'), await part('lora')];
    const [detector, recognizer] = [await part('detector'), await part('recognizer')];
    if (file === undefined) return undefined;
    const { adapterVersion: version, faceCrop, detSize, detThreshold, loraScale } = it;
    const search = { ...(detSize !== undefined && { detSize }), ...(detThreshold !== undefined && { detThreshold }) };
    return {
      file,
      options: {
        name,
        cropFace: it.cropFace ?? false,
        ...(encoder !== undefined && { encoder }),
        ...(lora !== undefined && { lora }),
        ...(version !== undefined && { version }),
        ...(loraScale !== undefined && { loraScale }),
        ...(faceCrop !== undefined && { faceCrop }),
        ...(detector !== undefined && recognizer !== undefined && { face: { detector, recognizer, ...search } }),
      },
    };
  }
}

const TOWERS = ['model', 'pytorch_model'];

const holds = async (folder: string, bases: readonly string[], hash: string): Promise<boolean> => {
  const path = await weightsIn(folder, bases);
  return path !== undefined && (await fileHash(path)) === hash;
};

/** Whether the VAE of a model, a file or a folder, is the one that is meant. */
const hasVae = async (model: string, hash: string): Promise<boolean> =>
  (await isFile(model))
    ? (await fileHash(model)) === hash
    : holds(join(model, 'vae'), ['diffusion_pytorch_model'], hash);
