// The compile gate of the CUDA kernels must notice what it is there for: read from what nvcc prints.
import t from 'tap';
import { complaints, kernelsOf, registerLimits } from '../../scripts/ptxas.mjs';

const report = (stack: number, stores: number, loads: number, registers: number): string =>
  `ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'first' for 'sm_80'
ptxas info    : Function properties for first
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 40 registers, used 0 barriers, 400 bytes cmem[0]
ptxas info    : Compile time = 33.100 ms
ptxas info    : Compiling entry function 'second' for 'sm_80'
ptxas info    : Function properties for second
    ${stack} bytes stack frame, ${stores} bytes spill stores, ${loads} bytes spill loads
ptxas info    : Used ${registers} registers, used 1 barriers, 400 bytes cmem[0]
`;

const ptx = `.visible .entry first(
	.param .align 8 .b8 first_param_0[48]
)
.maxntid 1024, 1, 1
{
	ret;
}
	// .globl	second
.visible .entry second(
	.param .align 8 .b8 second_param_0[48]
)
.maxntid 128, 1, 1
.minnctapersm 4
{
	ret;
}
`;

t.test('kernels and their limits are read', async (test) => {
  test.strictSame(kernelsOf(report(8, 4, 12, 96)), [
    { name: 'first', stack: 0, spills: 0, registers: 40 },
    { name: 'second', stack: 8, spills: 16, registers: 96 },
  ]);
  test.strictSame(
    [...registerLimits(ptx)],
    [
      ['first', 64],
      ['second', 128],
    ],
  );
});

t.test('what must not be is noticed', async (test) => {
  test.strictSame(complaints(report(0, 0, 0, 128), ptx), []);
  test.strictSame(complaints(report(8, 0, 0, 96), ptx), ['second: a stack frame of 8 bytes']);
  test.strictSame(complaints(report(0, 4, 12, 96), ptx), ['second: 16 bytes of spills']);
  test.strictSame(complaints(report(0, 0, 0, 136), ptx), ['second: 136 registers, its launch bounds leave 128']);
  test.strictSame(complaints(report(0, 0, 0, 96), ptx.replace('.maxntid 128, 1, 1\n', '')), [
    'second: no launch bounds',
  ]);
  const warning = 'product.h(12): warning #177-D: variable "x" was declared but never referenced';
  test.strictSame(complaints(`${warning}\n${report(0, 0, 0, 96)}`, ptx), [warning]);
  test.strictSame(complaints('', ptx), ['no kernel']);
  test.strictSame(complaints(report(0, 0, 0, 96).split('    0 bytes stack')[0]!, ptx), [
    'first: ptxas does not say what it takes',
  ]);
});
