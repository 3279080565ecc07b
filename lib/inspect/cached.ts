import { readdir, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { type EncoderWidths, encoderWidths, fits } from '../adapters/encoder.js';
import { type EncoderNeed, encoderName, needsOf, variantRow } from '../adapters/variants.js';
import { abortError, ModelFileError } from '../errors.js';
import { kindAt } from '../files/files.js';
import { weightsIn } from '../files/weights.js';
import { cachedRepositories, snapshotsOf } from '../hub/cache.js';
import { catalogRow, modelNames } from '../hub/catalog.js';
import { cached } from '../hub/names.js';
import { cancellable, type EngineHost, startEngine } from '../native/engine.js';
import { native } from '../native/native.js';
import type { Stop } from '../native/types.js';

/** A model that was fetched, and what goes with it. */
export interface CachedModel {
  /** What `Pipeline.load`, `addAdapter` and `encoder` take. */
  readonly name: string;
  readonly path: string;
  /** Bytes on disk. */
  readonly bytes: number;
  /** As `inspect` names it. */
  readonly kind: string;
  /** Of a base model or adapter: SD1.5, SDXL … */
  readonly base?: string;
  readonly variant?: string;
  /** The image encoder that an adapter reads with. */
  readonly encoder?: string;
  /** It reads faces: it wants a detector and a recogniser too. */
  readonly needsFace?: true;
  /** Names of other fetched models that go with it. */
  readonly fits: readonly string[];
  /** Why it cannot be used, by its code. */
  readonly problem?: string;
}

interface Place {
  readonly name: string;
  readonly path: string;
}

const MOST_FILES = 500; // of a snapshot

const filesBelow = async (folder: string): Promise<string[]> => {
  const names = await readdir(folder, { recursive: true }).catch(() => []);
  return names.slice(0, MOST_FILES).map((name) => join(folder, name));
};

/** What the cache has: by short names first, then every other folder or weight file. */
const places = async (): Promise<Place[]> => {
  const found: Place[] = [];
  for (const name of modelNames) {
    const path = await cached({ name, row: catalogRow(name) });
    if (path !== undefined) found.push({ name, path });
  }
  const known = found.map(({ path }) => path);
  for (const repository of await cachedRepositories()) {
    const [snapshot] = await snapshotsOf(repository);
    if (snapshot === undefined || known.includes(snapshot)) continue;
    const files = await filesBelow(snapshot);
    if (files.includes(join(snapshot, 'model_index.json'))) {
      found.push({ name: repository, path: snapshot });
      continue;
    }
    for (const path of files) {
      if (!/\.(?:safetensors|bin|ckpt|pt|pth)$/i.test(path)) continue;
      if (known.some((it) => path === it || path.startsWith(`${it}/`))) continue;
      found.push({ name: `${repository}/${relative(snapshot, path).replaceAll('\\', '/')}`, path });
    }
  }
  return found;
};

const sizeOf = async (path: string): Promise<number> => {
  const files = (await kindAt(path)) === 'folder' ? await filesBelow(path) : [path];
  const facts = await Promise.all(files.map((file) => stat(file).catch(() => undefined)));
  return facts.reduce((sum, it) => sum + (it?.isFile() ? it.size : 0), 0);
};

/** The file whose header tells what a place is. */
const tellingFile = async (path: string): Promise<string | undefined> => {
  if ((await kindAt(path)) !== 'folder') return path;
  const networks = ['diffusion_pytorch_model'];
  return (
    (await weightsIn(join(path, 'unet'), networks)) ??
    (await weightsIn(path, [...networks, 'model', 'pytorch_model', 'open_clip_pytorch_model']))
  );
};

interface Found {
  readonly model: Omit<CachedModel, 'fits'>;
  readonly role: 'base' | 'adapter' | 'encoder' | 'other';
  readonly need?: EncoderNeed | undefined;
  readonly widths?: EncoderWidths;
}

const look = async (host: EngineHost, { name, path }: Place, stop: Stop): Promise<Found> => {
  const model = { name, path, bytes: await sizeOf(path) };
  try {
    const file = await tellingFile(path);
    if (file === undefined) return { model: { ...model, kind: 'folder', problem: 'MODEL_NOT_FOUND' }, role: 'other' };
    const info = await native(host.engine.inspect(file, { stop }));
    const base = /\((SD[^)]+)\)$/.exec(info.kind)?.[1] ?? (info.kind === 'SDXL checkpoint' ? 'SDXL' : undefined);
    const of = base === undefined ? {} : { base };
    if (info.adapter) {
      const { variant } = variantRow(info.adapter.variant);
      const { encoder: need, identity } = needsOf(info.adapter, false);
      const { family } = info.adapter;
      const more = {
        variant,
        ...(family === undefined ? {} : { base: family }),
        ...(need ? { encoder: encoderName(need) } : {}),
        ...(identity > 0 ? { needsFace: true as const } : {}),
      };
      return { model: { ...model, kind: info.kind, ...more }, role: 'adapter', need };
    }
    const widths = encoderWidths(info);
    if (widths.hidden !== undefined) return { model: { ...model, kind: info.kind }, role: 'encoder', widths };
    const isBase = /^UNet|checkpoint/.test(info.kind);
    return { model: { ...model, kind: info.kind, ...of }, role: isBase ? 'base' : 'other' };
  } catch (error) {
    if (!(error instanceof ModelFileError)) throw error;
    return { model: { ...model, kind: 'damaged', problem: error.code }, role: 'other' };
  }
};

const together = (adapter: Found, other: Found): boolean => {
  if (adapter.role !== 'adapter') return false;
  if (other.role === 'base') return adapter.model.base !== undefined && adapter.model.base === other.model.base;
  return other.role === 'encoder' && adapter.need !== undefined && fits(other.widths!, adapter.need);
};

/** The models of the cache that Python's tools share, and which of them go together. Headers alone are read. */
export const cachedModels = async (options: { readonly signal?: AbortSignal } = {}): Promise<CachedModel[]> => {
  const host = startEngine({ threads: 1 });
  try {
    const all: Found[] = [];
    await cancellable(host, options.signal, abortError, async (stop) => {
      for (const place of await places()) all.push(await look(host, place, stop));
    });
    return all.map((it) => ({
      ...it.model,
      fits: all.filter((other) => together(it, other) || together(other, it)).map(({ model }) => model.name),
    }));
  } finally {
    host.close();
  }
};
