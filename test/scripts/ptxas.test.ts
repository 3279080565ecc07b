// The compile gate of the CUDA kernels must notice what it is there for: read from what nvcc prints.
import t from 'tap';
import { complaints, instructionComplaints, kernelsOf, registerLimits } from '../../scripts/ptxas.mjs';

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

t.test('the instructions that products live by are looked for', async (test) => {
  const product = `.visible .entry product(
)
{
	cp.async.cg.shared.global [%r307], [%rd344], 16, %r308;
	mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 {%f1}, {%r1}, {%r2}, {%f1};
	ret;
}
`;
  const file = 'product_f16.cu';
  test.strictSame(instructionComplaints(file, 80, product), []);
  test.strictSame(instructionComplaints('small.cu', 80, ptx), []);
  test.strictSame(instructionComplaints(file, 80, ''), ['no kernel in the PTX']);
  test.strictSame(instructionComplaints(file, 80, product.replace('mma.sync', 'fma')), [
    'product: no matrix instruction',
  ]);
  const narrow = product.replace('16, %r308', '4, %r308');
  test.strictSame(instructionComplaints(file, 80, narrow), ['product: no asynchronous copy of 16 bytes']);
  test.strictSame(instructionComplaints(file, 75, narrow), []);
  test.strictSame(instructionComplaints(file, 80, product.replace('ret;', 'st.local.f32 [%rd1], %f1;')), [
    'product: local memory',
  ]);
  const sass =
    'Function : product\n  LDGSTS.E.BYPASS.128.ZFILL [R1], [R2.64] ;\n  HMMA.16816.F32 R4, R8, R10, R4 ;\n  EXIT ;\n';
  test.strictSame(instructionComplaints(file, 80, product, sass), []);
  test.strictSame(instructionComplaints(file, 80, product, sass.replace('HMMA', 'FFMA')), ['product: no HMMA']);
  test.strictSame(instructionComplaints(file, 80, product, sass.replace('128', '32')), [
    'product: no LDGSTS of 128 bits',
  ]);
  test.strictSame(instructionComplaints(file, 80, product, sass.replace('EXIT', 'LDL R1, [R2]')), [
    'product: local memory in the machine code',
  ]);
});
