import { opendir, readFile, realpath, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Embedding, embeddingHash } from '../adapters/embedding.js';
import { abortError, ImageInputError, IpAdapterError, ModelFileError, quoted } from '../errors.js';
import { kindAt, stem } from '../files/files.js';
import { fileHash, SHARDS } from '../files/origin.js';
import { cachedRepositories, snapshotsOf } from '../hub/cache.js';
import { decodeImage } from '../images/decode.js';
import { greyOf } from '../images/grey.js';
import { hashOf } from '../images/hash.js';
import type { ImageLimits } from '../images/limits.js';
import { captureImage } from '../images/source.js';
import { defaultModel } from '../models/default-model.js';

const MOST_ENTRIES = 200_000; // of all folders together
const DEEPEST = 24; // folders in each other
const MOST_EMBEDDING = 64 * 2 ** 20; // bytes; those of 16 pictures have some 20 MB
const PICTURES = /\.(png|jpe?g|webp|gif|tiff?|avif|svg)$/i;
const WEIGHTS = new RegExp(`\\.(safetensors|bin|ckpt|pt|pth|onnx)$|${SHARDS.source}`, 'i');
const EMBEDDINGS = /\.(safetensors|ipae|ipadpt|bin)$/i;

interface Candidate {
  readonly path: string;
  readonly bytes: number;
  /** In the cache of fetched models, which is too large to be read whole: what its file is called there. */
  readonly blob?: string;
}

const tooMany = (): ModelFileError =>
  new ModelFileError(
    'MODEL_LIMIT',
    `The folders to search have more than ${MOST_ENTRIES} entries`,
    'Name the folders that hold the pictures and weights, not one that holds everything',
    { details: { expected: MOST_ENTRIES } },
  );

/** Regular files below folders; links to files are followed, links to folders are not: they may lead round in circles. */
const filesBelow = async (folders: readonly string[], signal: AbortSignal | undefined): Promise<Candidate[]> => {
  const found: Candidate[] = [];
  let entries = 0;
  const look = async (folder: string, depth: number): Promise<void> => {
    if (depth > DEEPEST) return;
    const open = await opendir(folder).catch(() => undefined); // not ours to read: nothing is found there
    if (!open) return;
    for await (const entry of open) {
      if (signal?.aborted) throw abortError(signal.reason);
      entries += 1;
      if (entries > MOST_ENTRIES) throw tooMany();
      const path = join(folder, entry.name);
      if (entry.isDirectory()) await look(path, depth + 1);
      else if (PICTURES.test(entry.name) || WEIGHTS.test(entry.name) || EMBEDDINGS.test(entry.name)) {
        const facts = await stat(path).catch(() => undefined);
        if (facts?.isFile()) found.push({ path, bytes: facts.size });
      }
    }
  };
  for (const folder of folders) await look(folder, 0);
  return found;
};

/** Weights in the cache of fetched models, whose files are mostly named by their hash. */
const fetchedFiles = async (signal: AbortSignal | undefined): Promise<Candidate[]> => {
  const found: Candidate[] = [];
  for (const repository of await cachedRepositories())
    for (const { path, bytes } of await filesBelow(await snapshotsOf(repository), signal))
      if (WEIGHTS.test(path)) found.push({ path, bytes, blob: basename(await realpath(path).catch(() => path)) });
  return found;
};

const MOST_PARENTS = 3; // unet/ of model/ of a repository

/** Whether a file, or a folder that it is part of, goes by a name. */
const isNamed = (path: string, name: string): boolean => {
  if (stem(path) === name) return true;
  let folder = dirname(path);
  for (let i = 0; i < MOST_PARENTS; ++i, folder = dirname(folder)) if (basename(folder) === name) return true;
  return false;
};

const embeddingAt = async (path: string): Promise<Embedding | undefined> => {
  const bytes = await readFile(path).catch(() => undefined);
  if (!bytes) return undefined;
  try {
    return Embedding.from(bytes);
  } catch (error) {
    if (error instanceof IpAdapterError) return undefined; // weights of another kind
    throw error;
  }
};

/** Finds files by what is in them: in the folders of the user, the bundled model's and among fetched models. */
export class Finder {
  readonly #limits: ImageLimits;
  readonly #signal: AbortSignal | undefined;
  readonly #own: readonly Candidate[];
  readonly #fetched: readonly Candidate[];

  private constructor(
    own: readonly Candidate[],
    fetched: readonly Candidate[],
    limits: ImageLimits,
    signal: AbortSignal | undefined,
  ) {
    this.#own = own;
    this.#fetched = fetched;
    this.#limits = limits;
    this.#signal = signal;
  }

  static async over(folders: readonly string[], limits: ImageLimits, signal: AbortSignal | undefined): Promise<Finder> {
    for (const folder of folders) {
      if ((await kindAt(folder)) === 'folder') continue;
      const hint = 'Name a folder that holds the pictures and weights';
      throw new ModelFileError('MODEL_NOT_FOUND', `There is no folder ${quoted(folder)} to search`, hint, {
        details: { path: folder },
      });
    }
    const bundled = dirname(defaultModel().path);
    return new Finder(await filesBelow([...folders, bundled], signal), await fetchedFiles(signal), limits, signal);
  }

  #check(): void {
    if (this.#signal?.aborted) throw abortError(this.#signal.reason);
  }

  /** Files with this SHA-256: those that go by the name first, then small ones. */
  async *files(hash: string, name: string): AsyncGenerator<string> {
    const isFirst = ({ path, blob }: Candidate): boolean => blob === hash || isNamed(path, name);
    const bySize = (a: Candidate, b: Candidate): number => a.bytes - b.bytes;
    const weights = this.#own.filter(({ path }) => WEIGHTS.test(path)).sort(bySize);
    const first = [...weights, ...this.#fetched].filter(isFirst);
    for (const { path } of [...first, ...weights.filter((one) => !isFirst(one))]) {
      this.#check();
      if ((await fileHash(path).catch(() => '')) === hash) yield path; // gone, or not ours to read
    }
  }

  /** The first of `files`. */
  async file(hash: string, name: string): Promise<string | undefined> {
    for await (const path of this.files(hash, name)) return path;
    return undefined;
  }

  /** Pictures by the hashes of their pixels in normal form, and of the greys of these, for masks of `init`. */
  async pictures(wanted: ReadonlySet<string>, greys: ReadonlySet<string>): Promise<ReadonlyMap<string, string>> {
    const found = new Map<string, string>();
    const left = new Set([...wanted, ...greys]);
    for (const { path } of this.#own) {
      if (left.size === 0) break;
      if (!PICTURES.test(path)) continue;
      this.#check();
      const pixels = await decodeImage(captureImage(path, 'search'), this.#limits).catch((error: unknown) => {
        if (error instanceof ImageInputError) return undefined; // no picture that a run could have read
        throw error;
      });
      if (!pixels) continue;
      const hashes = [hashOf(pixels)];
      if (greys.size > 0) hashes.push(hashOf({ ...pixels, data: await greyOf(pixels) }));
      for (const hash of hashes) if (left.delete(hash)) found.set(hash, path);
    }
    return found;
  }

  /** Embeddings by the hashes of what they hold. */
  async embeddings(wanted: ReadonlySet<string>): Promise<ReadonlyMap<string, Embedding>> {
    const found = new Map<string, Embedding>();
    for (const { path, bytes } of this.#own) {
      if (found.size === wanted.size) break;
      if (!EMBEDDINGS.test(path) || bytes > MOST_EMBEDDING) continue;
      this.#check();
      const embedding = await embeddingAt(path);
      const hash = embedding && embeddingHash(embedding);
      if (hash !== undefined && wanted.has(hash)) found.set(hash, embedding!);
    }
    return found;
  }
}
