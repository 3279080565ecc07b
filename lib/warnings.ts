import { type ErrorCode, errorOf, isErrorCode } from './errors.js';

/** Takes log lines, in the shape of pino: an object of facts, then a sentence. */
export interface Logger {
  debug?(facts: object, message: string): void;
  info?(facts: object, message: string): void;
  warn(facts: object, message: string): void;
  error?(facts: object, message: string): void;
}

/** A warning of a load or a run: `code` is one of the error codes, or a code that only warns. */
export interface Warning {
  readonly code: string;
  readonly message: string;
}

/** Takes a warning; where the pipeline is strict it throws. */
export type Warn = (code: string, message: string) => void;

const HINTS: Partial<Record<ErrorCode, string>> = {
  OPTION_CONFLICT: 'Leave the option out, or load without strict',
  ADAPTER_LORA_MISSING:
    'Give its LoRA as the option lora of addAdapter, take an adapter file with it inside, or load without strict',
  DEVICE_NONE: 'Load with device "cpu", or without strict',
  DEVICE_UNSUPPORTED: 'Load with device "cpu", or without strict',
  DRIVER_TOO_OLD: 'Install NVIDIA driver 580 or newer, load with device "cpu", or without strict',
};

/** Passes warnings on to `sink` and the logger; where `strict` those with an error's code are thrown as that error. */
export const warner =
  (sink: (warning: Warning) => void, logger: Logger | undefined, strict: boolean): Warn =>
  (code, message) => {
    if (strict && isErrorCode(code)) throw errorOf(code, message, HINTS[code] ?? 'Mend it, or load without strict');
    logger?.warn({ code }, message);
    sink({ code, message });
  };
