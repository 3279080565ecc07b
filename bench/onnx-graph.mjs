// Writes the ONNX graphs that the comparison runs: one convolution, matrix product or self-attention each.
// The format is protobuf; numbers below are its field numbers. source: onnx.proto3, opset 17

const varint = (value) => {
  const bytes = [];
  for (let rest = BigInt.asUintN(64, BigInt(value)); ; rest >>= 7n) {
    if (rest < 128n) return Buffer.from([...bytes, Number(rest)]);
    bytes.push(Number(rest & 127n) | 128);
  }
};
const whole = (field, value) => Buffer.concat([varint(field << 3), varint(value)]);
const bytes = (field, content) => {
  const data = typeof content === 'string' ? Buffer.from(content) : content;
  return Buffer.concat([varint((field << 3) | 2), varint(data.length), data]);
};
const message = (field, ...parts) => bytes(field, Buffer.concat(parts));

const FLOAT = 1;
const port = (field, name, dims) =>
  message(
    field,
    bytes(1, name),
    message(2, message(1, whole(1, FLOAT), message(2, ...dims.map((d) => message(1, whole(1, d)))))),
  );
const constant = (name, dims, values) =>
  message(5, ...dims.map((d) => whole(1, d)), whole(2, FLOAT), bytes(8, name), bytes(9, Buffer.from(values.buffer)));
const integers = (name, values) => message(5, bytes(1, name), ...values.map((v) => whole(8, v)), whole(20, 7));
const integer = (name, value) => message(5, bytes(1, name), whole(3, value), whole(20, 2));
const node = (op, inputs, output, ...attributes) =>
  message(1, ...inputs.map((name) => bytes(1, name)), bytes(2, output), bytes(4, op), ...attributes);
const model = (...graph) =>
  Buffer.concat([whole(1, 8), message(8, bytes(1, ''), whole(2, 17)), message(7, bytes(2, 'bench'), ...graph)]);

const numbers = (count, scale) =>
  Float32Array.from({ length: count }, (_, i) => (((i * 7919) % 2003) / 1001 - 1) * scale);

/** @returns {{ graph: Buffer, inputs: Record<string, readonly number[]> }} */
export const conv = (size, cin, out) => ({
  graph: model(
    node('Conv', ['x', 'w', 'b'], 'y', integers('pads', [1, 1, 1, 1]), integers('kernel_shape', [3, 3])),
    constant('w', [out, cin, 3, 3], numbers(out * cin * 9, Math.sqrt(3 / (9 * cin)))),
    constant('b', [out], numbers(out, 1)),
    port(11, 'x', [1, cin, size, size]),
    port(12, 'y', [1, out, size, size]),
  ),
  inputs: { x: [1, cin, size, size] },
});

export const matmul = (m, k, n) => ({
  graph: model(
    node('MatMul', ['x', 'w'], 'product'),
    node('Add', ['product', 'b'], 'y'),
    constant('w', [k, n], numbers(k * n, Math.sqrt(3 / k))),
    constant('b', [n], numbers(n, 1)),
    port(11, 'x', [m, k]),
    port(12, 'y', [m, n]),
  ),
  inputs: { x: [m, k] },
});

export const attention = (heads, queries, tokens, d) => ({
  graph: model(
    node('Transpose', ['k'], 'kt', integers('perm', [0, 2, 1])),
    node('MatMul', ['q', 'kt'], 'scores'),
    node('Mul', ['scores', 'factor'], 'scaled'),
    node('Softmax', ['scaled'], 'p', integer('axis', -1)),
    node('MatMul', ['p', 'v'], 'y'),
    constant('factor', [1], Float32Array.of(1 / Math.sqrt(d))),
    port(11, 'q', [heads, queries, d]),
    port(11, 'k', [heads, tokens, d]),
    port(11, 'v', [heads, tokens, d]),
    port(12, 'y', [heads, queries, d]),
  ),
  inputs: { q: [heads, queries, d], k: [heads, tokens, d], v: [heads, tokens, d] },
});

export const values = (dims) =>
  numbers(
    dims.reduce((a, b) => a * b, 1),
    1,
  );
