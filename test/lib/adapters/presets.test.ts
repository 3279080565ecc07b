// Names of other tools for an adapter: known or not, held to what the tensors say, never trusted.
import t from 'tap';
import { adapterSettings } from '../../../lib/adapters/options.js';
import { expectsFaceCrop, holdPreset, type PresetFacts, versionOfPreset } from '../../../lib/adapters/presets.js';
import { PUBLISHED } from '../../../lib/adapters/published.js';
import type { EncoderNeed } from '../../../lib/adapters/variants.js';
import type { IpAdapterError } from '../../../lib/index.js';
import { DETECTION } from './detection-table.js';

const H: EncoderNeed = { output: 'penultimate', width: 1280 };
const POOLED_H: EncoderNeed = { output: 'image_embeds', width: 1024 };
const POOLED_G: EncoderNeed = { output: 'image_embeds', width: 1280 };

const facts = (
  variant: PresetFacts['variant'],
  family: string,
  encoder?: EncoderNeed,
  version?: 'v1' | 'v2',
): PresetFacts => ({ variant, family, needs: { encoder, identity: encoder ? 0 : 512 }, version });

const base15 = facts('base', 'SD1.5', POOLED_H);
const baseXl = facts('base', 'SDXL', POOLED_G);
const plus15 = facts('plus', 'SD1.5', H);
const plusXl = facts('plus', 'SDXL', H);
const faceId = facts('faceid', 'SD1.5');
const faceIdPlus = facts('faceid-plus', 'SD1.5', H);
const faceIdPlusXl = facts('faceid-plus', 'SDXL', H, 'v2');
const portraitXl = facts('faceid-portrait', 'SDXL');

const refusal = (run: () => unknown): Pick<IpAdapterError, 'code' | 'message' | 'hint'> => {
  try {
    run();
  } catch (error) {
    return error as IpAdapterError;
  }
  return { code: 'INTERNAL', message: 'nothing was thrown', hint: '' };
};

t.test('the published adapters are those of the detection matrix', async (test) => {
  test.same(
    PUBLISHED.map(({ files, base, variant }) => ({ file: files[0], base, variant })),
    DETECTION.map(({ file, base, variant }) => ({ file, base, variant })),
  );
});

t.test('a preset that fits is taken, whatever its spelling', async (test) => {
  const fitting: readonly (readonly [preset: string, of: PresetFacts])[] = [
    ['STANDARD (medium strength)', base15],
    ['standard', base15],
    ['LIGHT - SD1.5 only (low strength)', base15],
    ['VIT-G (medium strength)', baseXl],
    ['PLUS (high strength)', plus15],
    ['plus face', plusXl],
    ['Composition', plusXl],
    ['FACEID', faceId],
    ['FACEID PLUS - SD1.5 only', faceIdPlus],
    ['FACEID PLUS V2', faceIdPlus],
    ['FACEID PLUS V2', faceIdPlusXl],
    ['FACEID PORTRAIT (style transfer)', portraitXl],
    ['FACEID PORTRAIT UNNORM - SDXL only (strong)', facts('portrait-unnorm', 'SDXL')],
    ['ip-adapter_clip_h', plusXl],
    ['ip-adapter_clip_sd15', base15],
    ['ip-adapter_clip_sdxl_plus_vith', plusXl],
    ['ip-adapter_clip_sdxl', baseXl],
    ['ip-adapter_clip_g', facts('base', 'SD1.5', POOLED_G)],
    ['ip-adapter_face_id', portraitXl],
    ['ip-adapter_face_id_plus', faceIdPlusXl],
    ['ip-adapter-auto', plusXl],
    ['ip-adapter-auto', facts('portrait-unnorm', 'SDXL')],
    ['ip-adapter_sd15_plus', plus15],
    ['ip-adapter-sdxl_vit-h', facts('base', 'SDXL', POOLED_H)],
    ['ip-adapter_plus_composition_sd15', plus15],
    ['ip-adapter_plus_composition_sdxl.safetensors', plusXl],
    ['ip-adapter-plus_sd15.pth', plus15],
    ['ip_adapter_plus_general.bin', facts('kolors-plus', 'Kolors', { output: 'penultimate', width: 1024 })],
    ['PLUS', facts('plus', 'custom', { output: 'penultimate', width: 160 })],
  ];
  for (const [preset, of] of fitting) {
    adapterSettings({ preset });
    test.doesNotThrow(() => holdPreset(preset, 'a.bin', of), `${preset} for ${of.variant} of ${of.family}`);
  }
});

t.test('a preset that stands for something else is an error with the one that fits', async (test) => {
  const wrong: readonly (readonly [preset: string, of: PresetFacts, says: RegExp, hint: string])[] = [
    ['PLUS (high strength)', base15, /base for SD1\.5, reads ViT-H/, 'STANDARD (medium strength)'],
    ['STANDARD (medium strength)', plus15, /plus for SD1\.5/, 'PLUS FACE (portraits)'],
    ['STANDARD (medium strength)', baseXl, /reads ViT-bigG/, 'VIT-G (medium strength)'],
    ['LIGHT', baseXl, /there is no "LIGHT - SD1\.5 only \(low strength\)" for SDXL/, 'VIT-G'],
    ['full face', plusXl, /there is no "FULL FACE.*" for SDXL/, 'PLUS'],
    ['faceid plus', faceIdPlusXl, /v2 for SDXL.*there is no "FACEID PLUS - SD1\.5 only" for SDXL/, 'FACEID PLUS V2'],
    ['FACEID PORTRAIT UNNORM', faceId, /there is no .* for SD1\.5, only for SDXL/, 'FACEID'],
    ['FACEID PLUS V2', facts('faceid-plus', 'SD1.5', H, 'v1'), /faceid-plus v1 for SD1\.5/, 'FACEID PLUS - SD1.5 only'],
    ['FACEID', plus15, /plus for SD1\.5/, 'PLUS (high strength)'],
    ['ip-adapter_clip_sdxl', plusXl, /reads ViT-H/, 'ip-adapter_clip_h'],
    ['ip-adapter_clip_sdxl_plus_vith', facts('base', 'SD1.5', POOLED_G), /reads ViT-bigG/, 'ip-adapter_clip_g'],
    ['ip-adapter_face_id', faceIdPlus, /faceid-plus/, 'ip-adapter_face_id_plus'],
    ['ip-adapter_clip_h', faceId, /faceid for SD1\.5/, 'ip-adapter_face_id'],
    [
      'ip-adapter_face_id',
      facts('portrait-unnorm', 'SDXL'),
      /portrait-unnorm/,
      'ip-adapter-faceid-portrait_sdxl_unnorm',
    ],
    ['ip-adapter_sd15', plus15, /plus/, 'ip-adapter-plus_sd15'],
    ['FACEID', facts('plus', 'custom', { output: 'penultimate', width: 160 }), /plus for custom/, 'PLUS'],
    ['PLUS', facts('plus', 'SDXL', { output: 'penultimate', width: 1664 }), /reads ViT-bigG/, 'leave preset out'],
  ];
  for (const [preset, of, says, hint] of wrong) {
    const error = refusal(() => holdPreset(preset, 'a.bin', of));
    test.match(error, { code: 'OPTION_CONFLICT', message: says }, `${preset} for ${of.variant} of ${of.family}`);
    test.ok(error.hint.includes(hint), error.hint);
  }
});

t.test('a name that no tool has is an error with the nearest', async (test) => {
  const unknown = refusal(() => adapterSettings({ preset: 'PLUS FASE' }));
  test.match(unknown, { code: 'OPTION_UNKNOWN', message: /no preset "PLUS FASE"/, hint: /"PLUS FACE \(portraits\)"/ });
  test.match(
    refusal(() => adapterSettings({ preset: 'ip-adapter_pulid' })),
    { code: 'OPTION_UNKNOWN' },
  );
  test.match(
    refusal(() => adapterSettings({ preset: 7 })),
    { code: 'OPTION_TYPE' },
  );
});

t.test('a preset tells v1 of FaceID Plus from v2', async (test) => {
  test.equal(versionOfPreset('FACEID PLUS - SD1.5 only'), 'v1');
  test.equal(versionOfPreset('FACEID PLUS V2'), 'v2');
  test.equal(versionOfPreset('ip-adapter_face_id_plus'), undefined);
  test.equal(versionOfPreset('PLUS'), undefined);
});

t.test('what expects a close-up of a face', async (test) => {
  test.ok(expectsFaceCrop(undefined, 'a.bin', 'full-face'), 'by its tensors');
  test.ok(expectsFaceCrop('PLUS FACE', 'a.bin', 'plus'), 'by the preset');
  test.ok(expectsFaceCrop(undefined, '/models/ip-adapter-plus-face_sd15.bin', 'plus'), 'by the name');
  test.notOk(expectsFaceCrop(undefined, '/plus-face/a.bin', 'plus'), 'a folder says nothing');
  test.notOk(expectsFaceCrop('PLUS', 'a.bin', 'plus'));
  test.notOk(expectsFaceCrop('ip-adapter_clip_h', 'a.bin', 'plus'), 'some of its adapters are no close-ups');
  test.notOk(expectsFaceCrop(undefined, 'plus-face.bin', 'base'), 'tensors are believed first');
});
