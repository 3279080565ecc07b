import { nearest, OptionError, quoted } from '../errors.js';
import type { DeviceName } from '../native/choose-device.js';

const WORDS = ['auto', 'cpu', 'cuda', 'emulated'] as const;
const CARD = /^cuda:(0|[1-9]\d{0,2})$/; // as the driver counts them, from 0
const EXAMPLE = 'cuda:0';

const isDeviceName = (text: string): text is DeviceName =>
  (WORDS as readonly string[]).includes(text) || CARD.test(text);

/** The device that a text names; `option` is where the text comes from. */
export const deviceNamed = (text: string, option: string): DeviceName => {
  if (isDeviceName(text)) return text;
  const expected = [...WORDS, EXAMPLE];
  const near = text.includes(':') ? EXAMPLE : nearest(text, WORDS);
  throw new OptionError(
    'OPTION_UNKNOWN',
    `There is no ${option} ${quoted(text)}`,
    near ? `Did you mean "${near}"?` : `Use one of ${expected.join(', ')}`,
    { details: { option, found: text, nearest: near, expected } },
  );
};

/** The device that a caller names, else the environment, else `fallback`. */
export const deviceOf = (given: string | undefined, fallback: DeviceName): DeviceName => {
  if (given !== undefined) return deviceNamed(given, 'device');
  const named = process.env.IPA_DEVICE;
  return named ? deviceNamed(named, 'IPA_DEVICE') : fallback;
};
