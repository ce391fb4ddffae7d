// Loads the core's memories, sends the inputs of a recorded run, and checks every output and the cycles of every step
// against the model's. It reads the files beside it, so run it in its own folder. It ends with a line PASS, or with
// FAIL and an error.
//
// Inputs of the core change at the falling edge of the clock, everything is looked at when it rises: the result is
// the same in every simulator.

/* verilator lint_off WIDTHEXPAND */
/* verilator lint_off WIDTHTRUNC */
`timescale 1ns / 1ps
`default_nettype none

module testbench;
  logic clk = 0, rst = 1;
  longint cycle = 0;
  int errors = 0;

  always #(`HALF_PERIOD_NS) clk = ~clk;
  always @(posedge clk) cycle <= cycle + 1;

  // ---- what is sent, and what must come
  logic [`SELECT_BITS+31:0] load[`LOAD_BEATS];  // its number on load_select, then the data
  logic [`X_BITS-1:0] x[`STEPS * `X_BEATS];
  logic [`H_BITS-1:0] h[`STEPS * `H_BEATS];
  logic [31:0] cycles_of_step[`STEPS];
  logic [31:0] steps_of_stream[`STREAMS];

  // ---- the core
  logic [`ADDRESS_BITS-1:0] axil_awaddr, axil_araddr;
  logic axil_awvalid = 0, axil_wvalid = 0, axil_bready = 0, axil_arvalid = 0, axil_rready = 0;
  wire axil_awready, axil_wready, axil_bvalid, axil_arready, axil_rvalid;
  logic [31:0] axil_wdata;
  wire [31:0] axil_rdata;
  wire [1:0] axil_bresp, axil_rresp;
  logic [31:0] load_data;
  logic [`SELECT_BITS-1:0] load_select;
  logic load_valid = 0;
  wire load_ready;
  logic [`X_BITS-1:0] x_data;
  logic x_valid = 0;
  wire x_ready;
  wire [`H_BITS-1:0] h_data;
  wire h_valid, h_last, step_done;
  wire [31:0] step_cycles;
`ifdef STREAMED
  wire [16:0] column_data;
  wire column_valid, w_ready;
  logic [`W_BITS-1:0] w_data;
  logic w_valid = 0;
`endif

  `CORE core (
      .clk(clk),
      .rst(rst),
      .axil_awaddr(axil_awaddr),
      .axil_awvalid(axil_awvalid),
      .axil_awready(axil_awready),
      .axil_wdata(axil_wdata),
      .axil_wstrb(4'hf),
      .axil_wvalid(axil_wvalid),
      .axil_wready(axil_wready),
      .axil_bresp(axil_bresp),
      .axil_bvalid(axil_bvalid),
      .axil_bready(axil_bready),
      .axil_araddr(axil_araddr),
      .axil_arvalid(axil_arvalid),
      .axil_arready(axil_arready),
      .axil_rdata(axil_rdata),
      .axil_rresp(axil_rresp),
      .axil_rvalid(axil_rvalid),
      .axil_rready(axil_rready),
      .load_data(load_data),
      .load_select(load_select),
      .load_valid(load_valid),
      .load_ready(load_ready),
      .x_data(x_data),
      .x_valid(x_valid),
      .x_ready(x_ready),
`ifdef STREAMED
      .column_data(column_data),
      .column_valid(column_valid),
      .column_ready(1'b1),
      .w_data(w_data),
      .w_valid(w_valid),
      .w_ready(w_ready),
`endif
      .h_data(h_data),
      .h_last(h_last),
      .h_valid(h_valid),
      .h_ready(1'b1),
      .step_done(step_done),
      .step_cycles(step_cycles)
  );

  // ---- inputs: up to x_end of them, as fast as the core takes them
  longint x_at = 0, x_end = 0;
  always @(posedge clk) if (x_valid && x_ready) x_at <= x_at + 1;
  always @(negedge clk) begin
    x_valid = x_at < x_end;
    if (x_valid) x_data = x[x_at];
  end

  // ---- outputs
  longint h_at = 0, steps = 0;
  logic is_last;
  always @(posedge clk)
    if (h_valid) begin
      is_last = h_at % `H_BEATS == `H_BEATS - 1;
      if (h_data !== h[h_at])
        wrong($sformatf("output %0d of step %0d: %h, not %h", h_at % `H_BEATS, h_at / `H_BEATS, h_data, h[h_at]));
      if (h_last !== is_last) wrong($sformatf("h_last is %b at output %0d", h_last, h_at));
      h_at <= h_at + 1;
    end
  always @(posedge clk)
    if (step_done && !rst) begin
      if (step_cycles !== cycles_of_step[steps])
        wrong($sformatf("step %0d took %0d cycles, not %0d", steps, step_cycles, cycles_of_step[steps]));
      steps <= steps + 1;
    end

`ifdef STREAMED
  // ---- the memory that weights stream from: a column after another, in the order in which they were asked for
  localparam int PLACES = 1 << 17;
  logic [`W_BITS-1:0] words[`WORDS];
  logic [31:0] first_word[`COLUMNS + 1];
  logic [31:0] cycles_of_column[`COLUMNS];
  int asked[PLACES];
  longint due[PLACES];
  longint head = 0, tail = 0, word = 0, count, start = 0, free = 0, offered_from;
  int column;
  logic w_moved = 0;
  initial begin
    $readmemh("memories/columns.hex", words);
    $readmemh("memories/first_words.hex", first_word);
    $readmemh("memories/column_cycles.hex", cycles_of_column);
  end
  always @(posedge clk) w_moved <= w_valid && w_ready;
  always @(negedge clk) begin
    if (w_moved) w_valid = 0;
    if (column_valid && !rst) begin
      asked[tail%PLACES] = int'(column_data);
      due[tail%PLACES] = cycle + `W_LATENCY_CYCLES;
      tail = tail + 1;
    end
    if (!w_valid && head != tail) begin
      column = asked[head%PLACES];
      count = longint'(first_word[column+1]) - longint'(first_word[column]);
      if (word == 0) start = due[head%PLACES] > free ? due[head%PLACES] : free;
      offered_from = start + word;
      if (word == count - 1 && longint'(cycles_of_column[column]) > count)
        offered_from = start + longint'(cycles_of_column[column]) - 1;
      if (cycle >= offered_from) begin
        w_data = words[longint'(first_word[column])+word];
        w_valid = 1;
        word = word + 1;
        if (word == count) begin
          free = start + longint'(cycles_of_column[column]);
          word = 0;
          head = head + 1;
        end
      end
    end
  end
`endif

  // ---- the run
  logic [31:0] value;
  longint stream_end = 0;
  initial begin
    $readmemh("memories/load.hex", load);
    $readmemh("vectors/x.hex", x);
    $readmemh("vectors/h.hex", h);
    $readmemh("vectors/step_cycles.hex", cycles_of_step);
    $readmemh("vectors/streams.hex", steps_of_stream);
    repeat (4) @(negedge clk);
    rst = 0;
    load_memories();
    for (int stream = 0; stream < `STREAMS; stream++) begin
      write_register(`CLEAR_ADDRESS, 1);
      stream_end = stream_end + longint'(steps_of_stream[stream]);
      x_end = stream_end * `X_BEATS;
      while (h_at < stream_end * `H_BEATS || steps < stream_end) @(negedge clk);
      read_register(`STEPS_ADDRESS, value);
      if (value !== steps_of_stream[stream]) wrong($sformatf("stream %0d: %0d steps counted", stream, value));
    end
    if (errors != 0) fail($sformatf("%0d differences", errors));
    $display("PASS: %0d steps in %0d streams: every output and the cycles of every step are the model's", steps,
             `STREAMS);
    $finish;
  end
  always @(posedge clk) if (cycle == `LIMIT_CYCLES) fail($sformatf("%0d steps of %0d done", steps, `STEPS));

  task automatic load_memories();
    for (int beat = 0; beat < `LOAD_BEATS; beat++) begin
      load_select = load[beat][32+:`SELECT_BITS];
      load_data   = load[beat][31:0];
      load_valid  = 1;
      do @(posedge clk); while (!load_ready);
      @(negedge clk);
    end
    load_valid = 0;
  endtask

  task automatic write_register(input logic [`ADDRESS_BITS-1:0] address, input logic [31:0] data);
    axil_awaddr  = address;
    axil_wdata   = data;
    axil_awvalid = 1;
    axil_wvalid  = 1;
    axil_bready  = 1;
    fork
      begin
        do @(posedge clk); while (!axil_awready);
        @(negedge clk) axil_awvalid = 0;
      end
      begin
        do @(posedge clk); while (!axil_wready);
        @(negedge clk) axil_wvalid = 0;
      end
    join
    while (!axil_bvalid) @(negedge clk);
    if (axil_bresp !== 0) wrong($sformatf("a write at %h is answered %b", address, axil_bresp));
    @(negedge clk) axil_bready = 0;
  endtask

  task automatic read_register(input logic [`ADDRESS_BITS-1:0] address, output logic [31:0] data);
    axil_araddr  = address;
    axil_arvalid = 1;
    axil_rready  = 1;
    do @(posedge clk); while (!axil_arready);
    @(negedge clk) axil_arvalid = 0;
    while (!axil_rvalid) @(negedge clk);
    data = axil_rdata;
    if (axil_rresp !== 0) wrong($sformatf("a read at %h is answered %b", address, axil_rresp));
    @(negedge clk) axil_rready = 0;
  endtask

  function automatic void wrong(input string what);
    errors = errors + 1;
    if (errors <= 20) $display("%s", what);
  endfunction

  task automatic fail(input string what);
    $display("FAIL: %s", what);
    $fatal(1);
  endtask
endmodule

`default_nettype wire
