// Reads numbers and texts of a file that may be cut off, damaged or made to mislead: what lies beyond its end, or
// promises more than a file can hold, is an error.

export class DamagedFile extends Error {}

/** The bytes of a file; places are counted from its beginning, numbers are little-endian unless their name says otherwise. */
export class Reader {
  /** @param {Uint8Array} bytes */
  constructor(bytes) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.size = this.bytes.length;
    this.texts = 4 * this.size; // bytes of text that may be read: names share their ends, but not everything
  }

  /** The place itself, when so many bytes follow. @param {number} at @param {number} length @param {string} what */
  place(at, length, what) {
    if (at >= 0 && length >= 0 && at + length <= this.size) return at;
    throw new DamagedFile(`${what} at byte ${at}, of ${length} bytes, lies outside the file, which has ${this.size}`);
  }

  /** @param {number} at */
  u8(at) {
    return this.bytes.readUInt8(this.place(at, 1, 'a number'));
  }

  /** @param {number} at */
  u16(at) {
    return this.bytes.readUInt16LE(this.place(at, 2, 'a number'));
  }

  /** @param {number} at */
  u32(at) {
    return this.bytes.readUInt32LE(this.place(at, 4, 'a number'));
  }

  /** @param {number} at */
  u32BigEndian(at) {
    return this.bytes.readUInt32BE(this.place(at, 4, 'a number'));
  }

  /** Where a number is no count of bytes that a file could have, that is damage. @param {number} at */
  u64(at) {
    const value = this.bytes.readBigUInt64LE(this.place(at, 8, 'a number'));
    if (value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value);
    throw new DamagedFile(`the number at byte ${at} is ${value}, more than any file has`);
  }

  /** Bytes of the file. @param {number} at @param {number} length @param {string} what */
  part(at, length, what) {
    this.place(at, length, what);
    return this.bytes.subarray(at, at + length);
  }

  /** A text that ends with a zero byte before `end`. @param {number} at @param {number} [end] */
  text(at, end = this.size) {
    this.place(at, 1, 'a text');
    const stop = this.bytes.indexOf(0, at);
    if (stop < 0 || stop >= end) throw new DamagedFile(`the text at byte ${at} has no end`);
    this.texts -= stop - at;
    if (this.texts < 0) throw new DamagedFile('its names are longer than the file has room for');
    return this.bytes.toString('latin1', at, stop);
  }

  /**
   * Places of the rows of a table, which is checked to be there whole.
   * @param {number} at @param {number} count @param {number} size of a row @param {string} what
   */
  rows(at, count, size, what) {
    this.place(at, count * size, what);
    return Array.from({ length: count }, (_, i) => at + i * size);
  }
}
