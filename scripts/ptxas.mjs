// Reads what ptxas -v says about kernels, and what is wrong with it.

/** @typedef {{ name: string, stack: number, spills: number, registers: number }} Kernel bytes of stack and spills */

/** @param {string} text what nvcc printed @returns {Kernel[]} */
export function kernelsOf(text) {
  /** @type {Kernel[]} */
  const kernels = [];
  for (const line of text.split('\n')) {
    const [, name] = /Compiling entry function '(\w+)'/.exec(line) ?? [];
    if (name) kernels.push({ name, stack: NaN, spills: NaN, registers: NaN });
    const last = kernels.at(-1);
    const memory = /(\d+) bytes stack frame, (\d+) bytes spill stores, (\d+) bytes spill loads/.exec(line);
    // Of the entry function, not of a function that it calls, which has its own and is a finding too.
    if (last && memory) {
      last.stack = Math.max(Number(memory[1]), last.stack || 0);
      last.spills = Math.max(Number(memory[2]) + Number(memory[3]), last.spills || 0);
    }
    const registers = /Used (\d+) registers/.exec(line);
    if (last && registers) last.registers = Number(registers[1]);
  }
  return kernels;
}

/**
 * Registers that a thread may have by the launch bounds in a PTX text, per kernel: 65536 on a multiprocessor, given in
 * eights, 255 at most.
 * @param {string} ptx @returns {Map<string, number>}
 */
export function registerLimits(ptx) {
  const limits = new Map();
  for (const [, name, rest] of ptx.matchAll(/\.entry (\w+)\(([^{]*)\{/g)) {
    const threads = Number(/\.maxntid (\d+)/.exec(rest ?? '')?.[1]);
    const blocks = Number(/\.minnctapersm (\d+)/.exec(rest ?? '')?.[1] ?? 1);
    if (threads > 0) limits.set(name, Math.min(255, Math.floor(65536 / (threads * blocks) / 8) * 8));
  }
  return limits;
}

/**
 * What is wrong with one file as it was compiled for one architecture.
 * @param {string} text what nvcc printed @param {string} ptx @returns {string[]}
 */
export function complaints(text, ptx) {
  const found = text.split('\n').filter((line) => /warning|error/i.test(line));
  const limits = registerLimits(ptx);
  const kernels = kernelsOf(text);
  if (kernels.length === 0) found.push('no kernel');
  for (const { name, stack, spills, registers } of kernels) {
    if (Number.isNaN(stack + spills + registers)) found.push(`${name}: ptxas does not say what it takes`);
    if (stack > 0) found.push(`${name}: a stack frame of ${stack} bytes`);
    if (spills > 0) found.push(`${name}: ${spills} bytes of spills`);
    const limit = limits.get(name);
    if (limit === undefined) found.push(`${name}: no launch bounds`);
    else if (registers > limit) found.push(`${name}: ${registers} registers, its launch bounds leave ${limit}`);
  }
  return found;
}

/** Files whose kernels live by the matrix instructions and by copies of 16 bytes that do not wait. */
const MATRIX =
  /^(product|convolution|convolution_doubled|convolution_shortcut|attention|cross_attention|attention_wide)_(f16|bf16|ampere)\.cu$/;

/**
 * What a kernel file of K1 to K4 lacks among its instructions, or has that it must not have: in its PTX, and where a
 * disassembler is at hand in its machine code (`cuobjdump -sass`).
 * @param {string} file @param {number} architecture @param {string} ptx @param {string} [sass] @returns {string[]}
 */
export function instructionComplaints(file, architecture, ptx, sass) {
  if (!MATRIX.test(file)) return [];
  const found = [];
  const kernels = [...ptx.matchAll(/\.entry (\w+)\([\s\S]*?\n\}/g)];
  for (const [body, name] of kernels) {
    if (!body.includes('mma.sync.aligned.')) found.push(`${name}: no matrix instruction`);
    if (architecture >= 80 && !/cp\.async\.c[ag]\.shared\.global \[[^\]]*\], \[[^\]]*\], 16/.test(body))
      found.push(`${name}: no asynchronous copy of 16 bytes`);
    if (/\b(ld|st)\.local\b/.test(body)) found.push(`${name}: local memory`);
  }
  if (kernels.length === 0) found.push('no kernel in the PTX');
  if (sass === undefined) return found;
  for (const part of sass.split(/Function : /).slice(1)) {
    const name = part.split('\n')[0]?.trim();
    if (!/\bHMMA\./.test(part)) found.push(`${name}: no HMMA`);
    if (architecture >= 80 && !/\bLDGSTS\.E\.(\w+\.)*128/.test(part)) found.push(`${name}: no LDGSTS of 128 bits`);
    if (/\b(LDL|STL)\b/.test(part)) found.push(`${name}: local memory in the machine code`);
  }
  return found;
}
