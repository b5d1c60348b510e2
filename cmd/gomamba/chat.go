package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/dump"
	"github.com/gomamba/gomamba/internal/lazy"
	"github.com/gomamba/gomamba/loader"
	"github.com/gomamba/gomamba/model"
	"github.com/gomamba/gomamba/text"
)

// chatFlags are the flags of the chat command.
type chatFlags struct {
	tokenizer string
	template  templateFlags
	system    string
	plain     bool
	stops     []string
	n         int
	sampling  samplingFlags
}

func newChatCmd(s *settings) *cobra.Command {
	f := &chatFlags{}
	cmd := &cobra.Command{
		Use:   "chat MODEL",
		Short: "Talk with a model",
		Long: `chat reads a line, prints the model's answer as it comes, and repeats. It formats the
conversation with the model's chat template, from tokenizer_config.json, chat_template.jinja
or the GGUF file. A model without a template continues what you type, as generate does, up
to an empty line. Each turn runs only the new tokens, however long the conversation is.

A line that ends with \ continues on the next one, and pasted text is one turn even if it
has several lines. The arrow keys edit the line and recall earlier ones. Ctrl-C stops an
answer, clears the line, or ends the program; Ctrl-D ends the program. These lines are
commands:
  /reset        forget the conversation
  /save FILE    save the conversation and the model's state
  /load FILE    continue from there; with --seed, start new random draws
  /tool TEXT    answer a tool call of the model
  /help         list these commands

If stdin is not a terminal, each line is a turn, and stdout contains only the answers.

` + templateHelp + `

` + orderHelp,
		Example: `  gomamba chat falcon-mamba-7b-instruct --temp 0.7 --top-p 0.9
  gomamba chat mamba-codestral-7b.gguf --system 'You write Go.'
  gomamba chat mamba-2.8b-zephyr --chat-template zephyr.jinja
  gomamba chat NVIDIA-Nemotron-3-Nano-4B --chat-var enable_thinking=false
  echo 'What is a state space model?' | gomamba chat falcon-mamba-7b-instruct
  gomamba chat box --temp 0.7`,
		Args: usage(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case slices.Contains(f.stops, ""):
				return usagef("--stop is empty: expected text at which to end")
			case f.plain && (f.template.given() || f.system != ""):
				return usagef("--plain uses no template: expected none of --chat-template, --system, --tools, --documents and --chat-var with it")
			}
			return withModel(cmd, s, args[0], func(ck *loader.Checkpoint, m *model.Model) error {
				return f.run(cmd, s, ck, m)
			})
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.system, "system", "", "system prompt")
	f.template.define(flags)
	flags.BoolVar(&f.plain, "plain", false, "ignore the template and continue what is typed")
	fileVar(flags, &f.tokenizer, "tokenizer", "", "tokenizer for a model without one: file, folder or OWNER/NAME")
	intVar(flags, &f.n, "n", "n", 0, 1, maxTokens, "", "maximum number of tokens per answer (default 512, or 128 without a template)")
	flags.StringArrayVar(&f.stops, "stop", nil, "text at which an answer stops; can be repeated")
	f.sampling.define(flags)
	addAdapterFlag(cmd, s)
	return cmd
}

// chat is a conversation with a user.
type chat struct {
	*text.Conversation
	cmd         *cobra.Command
	ck          *loader.Checkpoint
	m           *model.Model
	f           *chatFlags
	t           *text.Tokenizer
	limits      text.Limits
	interactive bool
}

func (f *chatFlags) run(cmd *cobra.Command, s *settings, ck *loader.Checkpoint, m *model.Model) error {
	if err := takeStdin(cmd, "the conversation"); err != nil {
		return err
	}
	t, err := tokenizerOf(cmd, s, ck, f.tokenizer)
	if err != nil {
		return err
	}
	how := f.sampling.sampling()
	how.Drawable = t.Drawable
	g, err := m.NewGenerator(nil, how)
	if err != nil {
		return err
	}
	opts := text.ConversationOptions{System: f.system}
	if cmd.Flags().Changed("seed") {
		state, err := g.Snapshot(cmd.Context())
		if err != nil {
			return err
		}
		opts.Random = state.Random
	}
	if !f.plain {
		if opts.Template, err = f.template.open(cmd, t); err != nil {
			return err
		}
	}
	c := &chat{Conversation: text.NewConversation(t, g, opts), t: t, cmd: cmd, ck: ck, m: m, f: f, interactive: isTerminal(cmd.InOrStdin())}
	if err := c.greet(); err != nil {
		return err
	}
	c.limit()
	from := c.lines()
	for {
		line, err := c.read(from)
		if err == io.EOF {
			return m.Changed()
		}
		if err != nil {
			return err
		}
		if err := c.turn(line); err != nil {
			return err
		}
	}
}

// isTerminal reports whether a reader or writer is a terminal.
func isTerminal(stream any) bool {
	_, ok := terminalOf(stream)
	return ok
}

// greet says what there is to know, and tries the template: what is wrong with it shows before anything is typed.
func (c *chat) greet() error {
	how := "no chat template: it continues what you type"
	switch {
	case c.Template() != nil:
		how = "with its chat template"
		trial := append(c.Messages(), text.Message{Role: "user", Content: "Hello"})
		if _, err := c.Template().Render(trial, true); err != nil {
			return err
		}
	case c.f.system != "":
		return usagef("--system needs a chat template, and %s does not have one: give --chat-template FILE", c.ck.Path())
	case c.f.template.inputs():
		return usagef("--tools, --documents and --chat-var are for a chat template, and %s does not have one: give --chat-template FILE", c.ck.Path())
	}
	if c.interactive {
		fmt.Fprintf(c.cmd.ErrOrStderr(), "%s, %s. Ctrl-C ends an answer, Ctrl-D the program; /help lists commands.\n", c.ck.Path(), how)
	}
	return nil
}

// line is a line of input, or why there is none.
type line struct {
	text string
	err  error
}

// lines is where the user's lines come from: next returns one, without its break; io.EOF says that there are none left.
type lines interface {
	next(ctx context.Context, mark string) (string, error)
}

// piped reads lines of a file or a pipe ahead of the conversation, so that a signal is heard while none come.
type piped struct {
	ahead chan line
	mark  func(text string) // shows where to type
}

func newPiped(in io.Reader, mark func(text string)) *piped {
	p := &piped{make(chan line), mark}
	go func() {
		r := bufio.NewReader(in)
		for {
			text, err := r.ReadString('\n')
			if text != "" {
				p.ahead <- line{strings.TrimRight(text, "\r\n"), nil}
			}
			if err != nil {
				p.ahead <- line{"", err}
				return
			}
		}
	}()
	return p
}

func (p *piped) next(ctx context.Context, mark string) (string, error) {
	p.mark(mark)
	select {
	case <-ctx.Done():
		return "", ctx.Err()
	case l := <-p.ahead:
		return l.text, l.err
	}
}

// lines returns where the user's lines come from.
func (c *chat) lines() lines {
	if e, ok := newEditor(c.cmd); ok {
		return e
	}
	return newPiped(c.cmd.InOrStdin(), func(mark string) {
		if c.interactive {
			fmt.Fprint(c.cmd.ErrOrStderr(), mark)
		}
	})
}

// read returns the next line, with those that it continues in.
func (c *chat) read(from lines) (string, error) {
	text, mark := "", "> "
	for {
		part, err := from.next(c.cmd.Context(), bold.on(c.cmd.ErrOrStderr(), mark))
		if err == io.EOF && text != "" {
			return text, nil
		}
		if err != nil {
			return "", err
		}
		begun, more := strings.CutSuffix(part, `\`)
		text += begun
		if !more {
			return text, nil
		}
		text, mark = text+"\n", ". "
	}
}

// commandLine is what a command looks like.
var commandLine = lazy.Regexp(`^/([a-z]+)(?:\s+(.*))?$`)

// turn does what a line says. What a user can correct is printed and is not an error, if there is a user.
func (c *chat) turn(text string) error {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	var err error
	if m := commandLine().FindStringSubmatch(strings.TrimSpace(text)); m != nil {
		err = c.command(m[1], m[2])
	} else {
		err = c.exchange("user", text)
	}
	bad := (*model.NonFiniteError)(nil)
	if err == nil || !c.interactive || c.cmd.Context().Err() != nil || errors.As(err, &bad) {
		return err
	}
	warn(c.cmd, oneLine(err))
	return nil
}

// command does what a line with a slash says.
func (c *chat) command(name, arg string) error {
	needsFile := name == "save" || name == "load"
	switch {
	case name == "help":
		_, after, _ := strings.Cut(c.cmd.Long, "commands:\n")
		list, _, _ := strings.Cut(after, "\n\n")
		_, err := fmt.Fprintln(c.cmd.ErrOrStderr(), list)
		return err
	case name == "reset":
		return c.Reset()
	case name == "tool" && c.Template() == nil:
		return fmt.Errorf("/tool needs a chat template, and there is none")
	case name == "tool":
		return c.exchange("tool", arg)
	case needsFile && (arg == "" || arg == "-"):
		return fmt.Errorf("/%s: expected the name of a file", name)
	case !needsFile:
		return fmt.Errorf("/%s is not a command: /help lists them", name)
	}
	if name == "load" {
		return c.Load(c.m, arg)
	}
	if err := sessionOf(c.cmd).mayWrite(arg, dump.Replaceable); err != nil {
		return err
	}
	return c.Save(c.cmd.Context(), c.m, arg)
}

// exchange puts a line to the model, said by a role, and prints the answer.
func (c *chat) exchange(role, said string) error {
	ctx := c.cmd.Context()
	stop, done := sessionOf(c.cmd).interruptible(ctx)
	defer done()
	out := textOut(c.cmd)
	err := func() error {
		watch, hide := watched(stop, c.cmd)
		defer hide()
		return c.SayAs(watch, role, said)
	}()
	if err != nil {
		if stop.Err() != nil && ctx.Err() == nil && errors.Is(err, context.Canceled) {
			_, err = fmt.Fprintln(out) // given up before the answer began
		}
		return err
	}
	if err := c.Answer(ctx, stop, text.NewContinuation(c.t, c.Past(), c.limits), func(part string) error {
		_, err := io.WriteString(out, part)
		return err
	}); err != nil {
		return err
	}
	_, err = fmt.Fprintln(out)
	return err
}

// limit finds out what ends an answer.
func (c *chat) limit() {
	limits, err := text.AnswerLimits(c.ck, c.t, c.Template())
	if err != nil {
		warnStops(c.cmd, err)
	}
	limits.Tokens = cmp.Or(c.f.n, limits.Tokens)
	limits.Stops = append(limits.Stops, c.f.stops...)
	c.limits = limits
}
