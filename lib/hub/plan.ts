import { z } from 'zod';
import { ModelFileError, OptionError, quoted } from '../errors.js';
import { bestWeights } from '../files/weights.js';
import { cacheFolder } from './cache.js';
import { nearestName } from './catalog.js';
import type { Connection } from './connection.js';
import { type Named, named } from './names.js';
import type { PullPlan } from './options.js';
import { bytesLeft, hasBlob, type Origin, type RemoteFile } from './transfer.js';

/** A plan with what carrying it out needs. */
export interface Work {
  readonly plan: PullPlan;
  readonly origin: Origin;
  readonly files: readonly RemoteFile[];
}

const plainPath = z
  .string()
  .regex(/^[^\\\0:]+$/)
  .refine((path) => path.split('/').every((part) => part !== '' && part !== '.' && part !== '..'));
const entrySchema = z.object({
  path: plainPath,
  size: z.int().min(0),
  oid: z.string().regex(/^[0-9a-f]{40}$/),
  lfs: z.object({ oid: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(0) }).optional(),
});
const modelSchema = z.object({
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  cardData: z.looseObject({ license: z.unknown(), license_name: z.unknown() }).partial().optional(),
});

/** What a hub says is as little to be trusted as a file. */
const understood = <T>(schema: z.ZodType<T>, value: unknown, what: string): T => {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0]!;
  throw new ModelFileError(
    'MODEL_HEADER_INVALID',
    `The hub's ${what} is none: ${issue.path.join('.')}: ${issue.message}`,
    'Check HF_ENDPOINT: it must be a hub of that kind',
    { details: { found: value } },
  );
};

const remote = (entry: unknown): RemoteFile => {
  const { path, size, oid, lfs } = understood(entrySchema, entry, 'list of files');
  return { path, size: lfs?.size ?? size, etag: lfs?.oid ?? oid };
};

const NETWORKS = ['diffusion_pytorch_model'];
const TOWERS = ['model', 'pytorch_model'];
/** Folders of a model that are read, and what their weights are called. */
const COMPONENTS: Readonly<Record<string, readonly string[]>> = {
  unet: NETWORKS,
  vae: NETWORKS,
  text_encoder: TOWERS,
  text_encoder_2: TOWERS,
  tokenizer: [],
  tokenizer_2: [],
  scheduler: [],
};

/** The weights of a component: of 16 bits where there are such, and with an index all its shards. */
const componentWeights = (names: readonly string[], bases: readonly string[]): readonly string[] => {
  const half = names.filter((name) => name.includes('.fp16') && name.includes('.safetensors'));
  const best = bestWeights(half, bases) ?? bestWeights(names, bases);
  if (best === undefined) return [];
  if (!best.endsWith('.json')) return [best];
  const among = half.includes(best) ? half : names.filter((name) => !name.includes('.fp16'));
  const ending = best.includes('.safetensors') ? '.safetensors' : '.bin';
  return [best, ...among.filter((name) => /-\d{5}-of-\d{5}\b/.test(name) && name.endsWith(ending))];
};

/** What of a diffusers folder is read. */
const folderFiles = (paths: readonly string[]): string[] => {
  const wanted = ['model_index.json'];
  for (const [folder, bases] of Object.entries(COMPONENTS)) {
    const names = paths
      .filter((path) => path.startsWith(`${folder}/`))
      .map((path) => path.slice(folder.length + 1))
      .filter((name) => !name.includes('/'));
    const texts = names.filter((name) => /\.(?:json|txt)$/.test(name) && !name.includes('.index.'));
    wanted.push(...[...texts, ...componentWeights(names, bases)].map((name) => `${folder}/${name}`));
  }
  return wanted;
};

/** The files of a repository that its name alone means. */
const chosen = (repository: string, paths: readonly string[]): string[] => {
  if (paths.includes('model_index.json')) return folderFiles(paths);
  const weights = paths.filter((path) => /\.(?:safetensors|bin|ckpt|pt|pth)$/i.test(path));
  if (weights.length === 1) return weights;
  const list = weights.slice(0, 8).join(', ');
  throw new ModelFileError(
    'MODEL_FORMAT_UNSUPPORTED',
    `${quoted(repository)} is no diffusers folder and has ${weights.length} weight files${list === '' ? '' : `: ${list}`}`,
    weights.length === 0 ? 'Check the name' : `Name one: ${repository}/${weights[0]}`,
    { details: { repository, files: weights } },
  );
};

type HubParameters = Pick<Connection, 'fetch'> & { readonly hubUrl: string; readonly revision: string };

/** The files with their sizes and hashes: those that are named, or what the repository offers. */
const listed = async (
  repository: string,
  paths: readonly string[] | undefined,
  how: HubParameters,
): Promise<RemoteFile[]> => {
  const { listFiles, pathsInfo } = await import('@huggingface/hub');
  if (paths) return (await pathsInfo({ ...how, repo: repository, paths: [...paths] })).map(remote);
  const all: RemoteFile[] = [];
  for await (const entry of listFiles({ ...how, repo: repository, recursive: true }))
    if (entry.type === 'file') all.push(remote(entry));
  const wanted = new Set(
    chosen(
      repository,
      all.map(({ path }) => path),
    ),
  );
  return all.filter(({ path }) => wanted.has(path));
};

const licenceOf = (it: Named, card: z.infer<typeof modelSchema>['cardData']): string => {
  if ('row' in it) return it.row.licence;
  const text = card?.license === 'other' ? card.license_name : card?.license;
  return typeof text === 'string' && text !== '' ? text : 'not said; read the repository’s page';
};

const check = (file: RemoteFile, known: string | undefined): void => {
  if (known === undefined || file.etag.startsWith(known)) return;
  throw new ModelFileError(
    'MODEL_HASH_MISMATCH',
    `${quoted(file.path)} is another file than it was: expected SHA-256 ${known}, the hub has ${file.etag}`,
    'Update this package, or name owner/name/file to take it as it is',
    { details: { path: file.path, expected: known, found: file.etag } },
  );
};

/** What a text asks a hub for. */
export const asked = (text: string): Named => {
  const it = named(text);
  if (it) return it;
  const near = nearestName(text);
  throw new OptionError(
    'OPTION_TYPE',
    `Expected a model's name for name but received ${quoted(text)}`,
    near === undefined ? 'Give a name of `models list --all`, owner/name or owner/name/file' : `Did you mean ${near}?`,
    { details: { option: 'name', found: text } },
  );
};

/** Asks the hub what a fetch of this name means: files, sizes, hashes, licence. */
export const planned = async (connection: Connection, text: string, it: Named): Promise<Work> => {
  const { modelInfo } = await import('@huggingface/hub');
  const repository = 'row' in it ? it.row.repository : it.repository;
  const { fetch, url: hubUrl } = connection;
  const info: unknown = await modelInfo({
    name: repository,
    revision: 'main',
    additionalFields: ['sha', 'cardData'],
    hubUrl,
    fetch,
  });
  const { sha, cardData } = understood(modelSchema, info, 'description of a model');
  const known = new Map('row' in it ? it.row.files.map(({ path, sha256 }) => [path, sha256]) : []);
  const paths = 'row' in it ? [...known.keys()] : it.file === undefined ? undefined : [it.file];
  const files = await listed(repository, paths, { hubUrl, fetch, revision: sha });
  for (const path of paths ?? []) {
    if (files.some((file) => file.path === path)) continue;
    throw new ModelFileError('MODEL_NOT_FOUND', `${quoted(repository)} has no ${quoted(path)}`, 'Check the name', {
      details: { repository, path },
    });
  }
  for (const file of files) check(file, known.get(file.path));
  const rows = await Promise.all(
    files.map(async (file) => ({
      path: file.path,
      bytes: file.size,
      missing: (await hasBlob(repository, file)) ? 0 : file.size - (await bytesLeft(repository, file)),
    })),
  );
  const sum = (key: 'bytes' | 'missing'): number => rows.reduce((total, row) => total + row[key], 0);
  return {
    plan: {
      name: text,
      title: 'row' in it ? it.row.title : repository,
      repository,
      licence: licenceOf(it, cardData),
      files: rows,
      bytes: sum('bytes'),
      missing: sum('missing'),
      cache: cacheFolder(),
    },
    origin: { repository, commit: sha },
    files,
  };
};
