import { InternalError, OptionError, quoted } from '../errors.js';
import { stem } from '../files/files.js';
import { checkKind } from '../files/kinds.js';
import { knownFile } from '../files/known-files.js';
import type { EngineHost } from '../native/engine.js';
import { native } from '../native/native.js';
import type { NetworkHandle, NetworkInfo, Stop } from '../native/types.js';
import type { Warn } from '../warnings.js';
import { findEncoder, isEncoderOf } from './encoder.js';
import type { AdapterSettings } from './options.js';
import { holdPreset, versionOfPreset } from './presets.js';
import { type Needs, needsOf, type Variant, type VariantRow, variantRow } from './variants.js';

/** What deciding needs of a pipeline. */
export interface PlanContext {
  readonly host: EngineHost;
  /** The UNet that the adapter must fit, or the path of its weights. */
  readonly unet: NetworkHandle | string;
  readonly modelFolder: string | undefined;
  readonly warn: Warn;
}

/** What an adapter file is and which parts go with it. */
export interface AttachmentPlan {
  readonly info: NetworkInfo;
  readonly row: VariantRow & { readonly variant: Variant };
  readonly needs: Needs;
  readonly version: 'v1' | 'v2' | undefined;
  readonly encoderFile: string | undefined;
}

const isFaceIdPlus = ({ variant }: NetworkInfo): boolean =>
  variant === 'faceid-plus' || variant === 'kolors-faceid-plus';

/** No v1 of FaceID Plus exists there. */
const isXl = (info: NetworkInfo): boolean => info.family === 'SDXL' || info.variant === 'kolors-faceid-plus';

/** What the user or the file's hash says of the version of FaceID Plus, whose tensors are the same in v1 and v2. */
const saidVersion = async (
  file: string,
  info: NetworkInfo,
  { version }: AdapterSettings,
  warn: Warn,
): Promise<'v1' | 'v2' | undefined> => {
  if (!isFaceIdPlus(info)) {
    if (version !== undefined)
      warn(
        'OPTION_CONFLICT',
        `version acts on FaceID Plus only, ${stem(file)} is ${info.variant ?? 'another variant'}`,
      );
    return undefined;
  }
  if (version === 'v1' && isXl(info)) {
    throw new OptionError(
      'OPTION_CONFLICT',
      `version is v1, but there is no FaceID Plus v1 for ${info.family}`,
      'Leave version out: it is v2',
      { details: { option: 'version', found: version, path: file } },
    );
  }
  return version ?? (await knownFile(file))?.version ?? (isXl(info) ? 'v2' : undefined);
};

/** Where nothing better is known: what the preset says, else v2 with a warning. */
const assumedVersion = (file: string, preset: string | undefined, warn: Warn): 'v1' | 'v2' => {
  const said = versionOfPreset(preset);
  if (said !== undefined) return said;
  const name = stem(file).toLowerCase();
  const doubt = name.includes('plus') && !name.includes('v2') ? ', though its name speaks of plus without v2' : '';
  warn(
    'ADAPTER_VERSION_ASSUMED',
    `${stem(file)} is taken as FaceID Plus v2${doubt}; the option version says which it is`,
  );
  return 'v2';
};

/** A width of 512 is an identity's unless the given encoder has it. */
const neededParts = async (host: EngineHost, info: NetworkInfo, given: string | undefined, stop: Stop) => {
  const asEncoder = needsOf(info, true);
  if (given === undefined || !asEncoder.encoder || asEncoder.identity > 0) return needsOf(info, false);
  return needsOf(info, await isEncoderOf(host, given, asEncoder.encoder, stop));
};

/**
 * Decides whether an adapter and its parts fit, from headers alone: whatever is refused has read no tensor. Of the file's
 * data only a hash may be taken, once everything else fits.
 */
export const planAttachment = async (
  { host, unet, modelFolder, warn }: PlanContext,
  file: string,
  settings: AdapterSettings,
  stop: Stop,
): Promise<AttachmentPlan> => {
  const { kind, adapter: info, warnings } = await native(host.engine.inspect(file, { stop, unet }));
  checkKind(file, kind, 'addAdapter');
  if (!info)
    throw new InternalError('INTERNAL', `${quoted(file)} is no adapter and was not refused`, 'Please report it');
  for (const { code, message } of warnings) warn(code, message);
  const row = variantRow(info.variant);
  const needs = await neededParts(host, info, settings.encoder, stop);
  const encoderFile =
    needs.encoder && (await findEncoder(host, file, needs.encoder, settings.encoder, modelFolder, stop));
  if (settings.encoder !== undefined && !needs.encoder) {
    warn(
      'OPTION_CONFLICT',
      `encoder is not used: ${stem(file)} needs a face embedding (identity of ${needs.identity}), no CLIP encoder`,
    );
  }
  const said = await saidVersion(file, info, settings, warn);
  holdPreset(settings.preset, file, { variant: row.variant, family: info.family ?? 'custom', needs, version: said });
  const version = said ?? (isFaceIdPlus(info) ? assumedVersion(file, settings.preset, warn) : undefined);
  return { info, row, needs, version, encoderFile };
};
