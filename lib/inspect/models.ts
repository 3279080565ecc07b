import { type CatalogRow, catalogRow, modelNames } from '../hub/catalog.js';
import { located } from '../hub/names.js';
import { pull } from '../hub/pull.js';
import { pathOf } from '../options/schemas.js';
import { cachedModels } from './cached.js';

/** A model that can be fetched by a short name. */
export interface NamedModel
  extends Pick<CatalogRow, 'title' | 'kind' | 'base' | 'repository' | 'bytes' | 'licence' | 'encoder' | 'needsFace'> {
  readonly name: string;
}

/**
 * Finding and fetching models. Only `pull` asks the network for anything.
 *
 * @example
 * await models.pull('sd15', { confirm: ({ missing, licence }) => ask(`${missing} bytes, ${licence}?`) })
 * const pipe = await Pipeline.load('sd15')
 */
export const models = {
  pull,
  /** What of the cache can be loaded, and what goes with what. */
  list: cachedModels,
  /** The path of a name's folder or file in the cache; MODEL_NOT_FOUND with the command where it is not there. */
  find: (name: string): Promise<string> => located(pathOf(name, 'name')),
  /** Every short name; sizes are about right. */
  names: (): readonly NamedModel[] =>
    modelNames.map((name) => {
      const { files: _files, folder: _folder, ...row } = catalogRow(name);
      return { name, ...row };
    }),
} as const;
