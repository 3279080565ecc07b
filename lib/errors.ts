/** Which class an error code belongs to. The codes are part of the public contract; lib and native code share them. */
const CLASS_OF = {
  MODEL_NOT_FOUND: 'ModelFileError',
  MODEL_EMPTY: 'ModelFileError',
  MODEL_NOT_A_MODEL: 'ModelFileError',
  MODEL_TRUNCATED: 'ModelFileError',
  MODEL_HEADER_INVALID: 'ModelFileError',
  MODEL_LIMIT: 'ModelFileError',
  MODEL_FORMAT_UNSUPPORTED: 'ModelFileError',
  MODEL_UNSAFE_PICKLE: 'ModelFileError',
  MODEL_ZIP_INVALID: 'ModelFileError',
  MODEL_ONNX_INVALID: 'ModelFileError',
  MODEL_CHANGED: 'ModelFileError',
  MODEL_HASH_MISMATCH: 'ModelFileError',
  MODEL_IO: 'ModelFileError',
  ADAPTER_ENCODER_MISMATCH: 'ModelMismatchError',
  ADAPTER_ENCODER_MISSING: 'ModelMismatchError',
  ADAPTER_BASE_MISMATCH: 'ModelMismatchError',
  ADAPTER_LORA_MISSING: 'ModelMismatchError',
  ADAPTER_UNKNOWN: 'ModelMismatchError',
  TENSOR_MISSING: 'ModelMismatchError',
  TENSOR_SHAPE: 'ModelMismatchError',
  TENSOR_DTYPE: 'ModelMismatchError',
  TENSOR_NONFINITE: 'ModelMismatchError',
  LORA_KEYS_UNMATCHED: 'ModelMismatchError',
  IMAGE_EMPTY: 'ImageInputError',
  IMAGE_FORMAT: 'ImageInputError',
  IMAGE_CORRUPT: 'ImageInputError',
  IMAGE_TOO_LARGE: 'ImageInputError',
  IMAGE_TOO_SMALL: 'ImageInputError',
  IMAGE_CHANNELS: 'ImageInputError',
  IMAGE_URL_BLOCKED: 'ImageInputError',
  IMAGE_URL_FAILED: 'ImageInputError',
  FACE_NOT_FOUND: 'FaceError',
  FACE_AMBIGUOUS: 'FaceError',
  FACE_TOO_SMALL: 'FaceError',
  FACE_LANDMARKS_INVALID: 'FaceError',
  FACE_QUALITY: 'FaceError',
  FACE_REFERENCES_DISAGREE: 'FaceError',
  FACE_MODEL_MISSING: 'FaceError',
  OPTION_TYPE: 'OptionError',
  OPTION_RANGE: 'OptionError',
  OPTION_UNKNOWN: 'OptionError',
  OPTION_CONFLICT: 'OptionError',
  PROMPT_TOO_LONG: 'OptionError',
  ABORTED: 'AbortError',
  TIMED_OUT: 'AbortError',
  HOST_OUT_OF_MEMORY: 'ResourceError',
  DEVICE_OUT_OF_MEMORY: 'ResourceError',
  MEMORY_BUDGET: 'ResourceError',
  QUEUE_FULL: 'ResourceError',
  DEVICE_NONE: 'DeviceError',
  DEVICE_LOST: 'DeviceError',
  DEVICE_UNSUPPORTED: 'DeviceError',
  DRIVER_TOO_OLD: 'DeviceError',
  NAN_LATENTS: 'NumericError',
  NAN_DECODED: 'NumericError',
  NAN_CONDITION: 'NumericError',
  OUTPUT_EXISTS: 'OutputError',
  OUTPUT_NO_SPACE: 'OutputError',
  OUTPUT_IO: 'OutputError',
  CLOSED: 'StateError',
  BUSY: 'StateError',
  NOT_LOADED: 'StateError',
  UNAUTHORIZED: 'ServerError',
  FORBIDDEN_ORIGIN: 'ServerError',
  FORBIDDEN_HOST: 'ServerError',
  BODY_TOO_LARGE: 'ServerError',
  BAD_REQUEST: 'ServerError',
  NOT_FOUND: 'ServerError',
  RATE_LIMITED: 'ServerError',
  SHUTTING_DOWN: 'ServerError',
  JOB_POISONED: 'JobError',
  JOB_LEASE_LOST: 'JobError',
  JOB_UNKNOWN: 'JobError',
  BINARY_NOT_FOUND: 'BinaryError',
  BINARY_INCOMPATIBLE: 'BinaryError',
  INTERNAL: 'InternalError',
} as const;

/** Every code an {@link IpAdapterError} can carry. */
export type ErrorCode = keyof typeof CLASS_OF;
type ClassName = (typeof CLASS_OF)[ErrorCode];
type CodeOf<N extends ClassName> = { [C in ErrorCode]: (typeof CLASS_OF)[C] extends N ? C : never }[ErrorCode];

/** Codes where the same call may succeed later without a change. */
const RETRYABLE: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'HOST_OUT_OF_MEMORY',
  'DEVICE_OUT_OF_MEMORY',
  'MEMORY_BUDGET',
  'QUEUE_FULL',
  'DEVICE_LOST',
  'BUSY',
  'RATE_LIMITED',
  'SHUTTING_DOWN',
]);

const MAX_HINT = 240; // characters
const MAX_TEXT = 600; // characters of message and hint together

const cut = (text: string, limit: number): string => {
  if (text.length <= limit) return text;
  const end = limit - 1;
  // trap: never leave half of a surrogate pair at the cut
  return `${text.slice(0, /[\uD800-\uDBFF]/.test(text[end - 1] ?? '') ? end - 1 : end)}…`;
};

/** Facts of an error as plain JSON values: `path`, `tensor`, `expected`, `found`, `offset`, `stage`, `step` … */
export type ErrorDetails = Readonly<Record<string, unknown>>;

export interface ErrorExtras {
  readonly details?: ErrorDetails;
  readonly cause?: unknown;
  /** Default: true for memory, device and queue codes. */
  readonly retryable?: boolean;
}

/**
 * Base of all errors of this package: `message` says what is wrong, `hint` how to mend it.
 *
 * @example
 * try { await pipe.generate({ prompt }) } catch (e) { if (e instanceof IpAdapterError) console.error(e.code, e.hint) }
 */
export class IpAdapterError<C extends ErrorCode = ErrorCode> extends Error {
  readonly code: C;
  readonly hint: string;
  readonly details: ErrorDetails;
  readonly retryable: boolean;

  constructor(code: C, message: string, hint: string, extras: ErrorExtras = {}) {
    const shortHint = cut(hint, MAX_HINT);
    super(cut(message, MAX_TEXT - shortHint.length), 'cause' in extras ? { cause: extras.cause } : undefined);
    this.name = CLASS_OF[code];
    this.code = code;
    this.hint = shortHint;
    this.details = extras.details ?? {};
    this.retryable = extras.retryable ?? RETRYABLE.has(code);
  }
}

/** A model file is missing, damaged, unsafe or of an unknown format. */
export class ModelFileError extends IpAdapterError<CodeOf<'ModelFileError'>> {}
/** Parts that do not fit each other: adapter, encoder, base, LoRA, tensor shapes. */
export class ModelMismatchError extends IpAdapterError<CodeOf<'ModelMismatchError'>> {}
/** A picture that cannot be used. */
export class ImageInputError extends IpAdapterError<CodeOf<'ImageInputError'>> {}
/** No face, too many faces, or one of too little quality. */
export class FaceError extends IpAdapterError<CodeOf<'FaceError'>> {}
/** An option of the wrong type, out of range, unknown, or at odds with another. */
export class OptionError extends IpAdapterError<CodeOf<'OptionError'>> {}
/** The run was cancelled (`cause` is the signal's reason) or took too long. */
export class AbortError extends IpAdapterError<CodeOf<'AbortError'>> {}
/** Too little memory, or a full queue. */
export class ResourceError extends IpAdapterError<CodeOf<'ResourceError'>> {}
/** The device is missing, lost or unsupported. */
export class DeviceError extends IpAdapterError<CodeOf<'DeviceError'>> {}
/** A computation gave NaN or infinity. */
export class NumericError extends IpAdapterError<CodeOf<'NumericError'>> {}
/** A result could not be written. */
export class OutputError extends IpAdapterError<CodeOf<'OutputError'>> {}
/** The object is closed, busy or not loaded yet. */
export class StateError extends IpAdapterError<CodeOf<'StateError'>> {}
/** An HTTP request was refused. */
export class ServerError extends IpAdapterError<CodeOf<'ServerError'>> {}
/** A queued job failed as a job. */
export class JobError extends IpAdapterError<CodeOf<'JobError'>> {}
/** The native addon is missing or does not load. */
export class BinaryError extends IpAdapterError<CodeOf<'BinaryError'>> {}
/** A bug of this package. */
export class InternalError extends IpAdapterError<CodeOf<'InternalError'>> {}

type AnyClass = new (code: never, message: string, hint: string, extras?: ErrorExtras) => IpAdapterError;
const CLASSES: Readonly<Record<ClassName, AnyClass>> = {
  ModelFileError,
  ModelMismatchError,
  ImageInputError,
  FaceError,
  OptionError,
  AbortError,
  ResourceError,
  DeviceError,
  NumericError,
  OutputError,
  StateError,
  ServerError,
  JobError,
  BinaryError,
  InternalError,
};

/** Whether a text is one of the error codes. */
export const isErrorCode = (code: unknown): code is ErrorCode =>
  typeof code === 'string' && Object.hasOwn(CLASS_OF, code);

/** The error of `code` in its own class. */
export const errorOf = (code: ErrorCode, message: string, hint: string, extras?: ErrorExtras): IpAdapterError =>
  new CLASSES[CLASS_OF[code]](code as never, message, hint, extras);

/** The error of a cancelled run; `cause` is the signal's reason. */
export const abortError = (reason: unknown): AbortError =>
  new AbortError('ABORTED', 'The run was cancelled', 'Start it again without aborting its signal', { cause: reason });

/** The error of a call on a pipeline that was disposed. */
export const closedError = (): StateError =>
  new StateError('CLOSED', 'The pipeline was disposed', 'Load it again with Pipeline.load');

/** Turns whatever the addon threw, `{ code, message, hint, details }`, into the class of its code. */
export const toError = (thrown: unknown): IpAdapterError => {
  if (thrown instanceof IpAdapterError) return thrown;
  const fields = (typeof thrown === 'object' && thrown !== null ? thrown : {}) as Record<string, unknown>;
  const message = typeof fields.message === 'string' ? fields.message : String(thrown);
  if (!isErrorCode(fields.code)) {
    const hint = 'This is a bug; please report it with the lines that led to it';
    return new InternalError('INTERNAL', message, hint, { cause: thrown });
  }
  const details = typeof fields.details === 'object' && fields.details !== null ? (fields.details as ErrorDetails) : {};
  const hint = typeof fields.hint === 'string' ? fields.hint : '';
  return errorOf(fields.code, message, hint, { details, cause: thrown });
};

const MAX_QUOTE = 120; // characters

/** Text from an input, safe to show: in quotes, cut at 120 characters, control characters and line ends as `\u00XX`. */
export const quoted = (text: string): string => {
  const shown = cut(text, MAX_QUOTE).replace(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
    /[\u0000-\u001f\u007f-\u009f\u2028\u2029]|[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
  );
  return `"${shown}"`;
};

/** Edit distance (insert, delete, replace), both texts cut at 64 characters. */
const distance = (from: string, to: string): number => {
  const a = from.slice(0, 64);
  const b = to.slice(0, 64);
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; ++i) {
    const next = [i];
    for (let j = 1; j <= b.length; ++j) {
      const replaced = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
};

/** The known name that looks most like `name`, or undefined when none is close. */
export const nearest = (name: string, known: Iterable<string>): string | undefined => {
  let best: string | undefined;
  let least = Math.ceil(name.length / 3) + 1; // a third of the letters may be wrong
  for (const candidate of known) {
    const d = distance(name.toLowerCase(), candidate.toLowerCase());
    if (d < least) {
      least = d;
      best = candidate;
    }
  }
  return best;
};
