package hub

import (
	"context"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"github.com/gomamba/gomamba/internal/atomicfile"
)

// maxDamaged is how often a file whose hash is wrong is fetched again.
const maxDamaged = 2

// partial is a file that is arriving.
type partial struct {
	f    *os.File
	size int64     // bytes that are there
	sum  hash.Hash // SHA-256 of them
}

// openPartial opens what has arrived of a file, perhaps in another process and long ago, or starts it.
func openPartial(ctx context.Context, path string, flags int) (*partial, error) {
	f, err := os.OpenFile(path, flags, 0o666)
	if err != nil {
		return nil, err
	}
	p := &partial{f: f, sum: sha256.New()}
	if p.size, err = io.Copy(p.sum, &reader{ctx, f}); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return p, nil
}

func (p *partial) Write(b []byte) (int, error) {
	n, err := p.f.Write(b)
	p.sum.Write(b[:n])
	p.size += int64(n)
	return n, err
}

// restart drops what is there.
func (p *partial) restart() error {
	p.size = 0
	p.sum.Reset()
	if err := p.f.Truncate(0); err != nil {
		return err
	}
	_, err := p.f.Seek(0, io.SeekStart)
	return err
}

// check compares the hash of what is there with the one announced: SHA-256, or SHA-1 of git's header and the content,
// or of the content alone as some mirrors have it. Another kind cannot be checked.
func (p *partial) check(ctx context.Context, want string) error {
	switch {
	case sha256Pattern().MatchString(want):
		if got := hex.EncodeToString(p.sum.Sum(nil)); got != want {
			return fmt.Errorf("SHA-256 is %s, expected %s", got, want)
		}
	case commitPattern().MatchString(want):
		git, bare := sha1.New(), sha1.New()
		fmt.Fprintf(git, "blob %d\x00", p.size)
		if _, err := io.Copy(io.MultiWriter(git, bare), &reader{ctx, io.NewSectionReader(p.f, 0, p.size)}); err != nil {
			return err
		}
		if got := hex.EncodeToString(git.Sum(nil)); got != want && hex.EncodeToString(bare.Sum(nil)) != want {
			return fmt.Errorf("git's SHA-1 is %s, expected %s", got, want)
		}
	}
	return nil
}

// holds reports whether a file has that content.
func holds(ctx context.Context, path, sum string) (bool, error) {
	p, err := openPartial(ctx, path, os.O_RDONLY)
	if err != nil {
		return false, err
	}
	defer p.f.Close() // it was only read
	wrong := p.check(ctx, sum)
	if ctx.Err() != nil {
		return false, context.Cause(ctx)
	}
	return wrong == nil, nil
}

// reader reads until its context ends.
type reader struct {
	ctx context.Context
	r   io.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, context.Cause(r.ctx)
	}
	return r.r.Read(p)
}

// fetch makes the file at path the content of r, going on from what is there. On success it is complete, checked and
// synced. On failure what has arrived stays, unless it is known to be wrong.
func (c *Client) fetch(ctx context.Context, r remote, path string, progress func(done int64)) (err error) {
	p, err := openPartial(ctx, path, os.O_RDWR|os.O_CREATE)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.f.Close()) }()
	for damaged := 0; ; damaged++ {
		if err := c.complete(ctx, r, p, progress); err != nil {
			return fmt.Errorf("%s: %w", r.Path, err)
		}
		wrong := p.check(ctx, r.sum())
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if wrong == nil {
			return atomicfile.Sync(p.f)
		}
		if err := p.restart(); err != nil {
			return err
		}
		if damaged == maxDamaged {
			return fmt.Errorf("%s: arrived damaged %d times: %w; something on the way to %s changes it",
				r.Path, damaged+1, wrong, c.Site())
		}
	}
}

// complete fetches until all bytes are there. As long as some arrive, it tries on.
func (c *Client) complete(ctx context.Context, r remote, p *partial, progress func(done int64)) error {
	if r.Size >= 0 && p.size > r.Size {
		if err := p.restart(); err != nil {
			return err
		}
	}
	for {
		before := p.size
		err := c.retrying(ctx, func() error {
			if before = p.size; p.size == r.Size {
				return nil
			}
			err := c.piece(ctx, r, p, progress)
			if err != nil && p.size > before {
				return &progressError{err}
			}
			return err
		})
		moved, ok := errors.AsType[*progressError](err)
		if !ok {
			return err
		}
		if !temporary(moved.err) || ctx.Err() != nil {
			return moved.err
		}
		if err := c.pause(ctx, 1, moved.err); err != nil {
			return err
		}
	}
}

// progressError ends a try that brought some bytes. It is not temporary for retrying, which would count it.
type progressError struct{ err error }

func (e *progressError) Error() string { return e.err.Error() }

// piece makes one request for what is missing.
func (c *Client) piece(ctx context.Context, r remote, p *partial, progress func(done int64)) (err error) {
	header := http.Header{}
	if p.size > 0 {
		header.Set("Range", fmt.Sprintf("bytes=%d-", p.size))
	}
	a, err := c.request(ctx, http.MethodGet, r.url, header)
	if status, ok := errors.AsType[*statusError](err); ok && status.code == http.StatusRequestedRangeNotSatisfiable && p.size > 0 {
		return errors.Join(p.restart(), &lineError{err})
	}
	if err != nil {
		return err
	}
	defer a.Close()
	if a.StatusCode != http.StatusPartialContent || !continues(a.Header.Get("Content-Range"), p.size, r.Size) {
		if err := p.restart(); err != nil { // all of it comes, or not the piece asked for
			return err
		}
		if a.StatusCode == http.StatusPartialContent {
			return &lineError{fmt.Errorf("%s sent bytes %s", a.Request.URL.Host, strconv.Quote(a.Header.Get("Content-Range")))}
		}
	}
	progress(p.size)
	var body io.Reader = a
	if r.Size >= 0 {
		body = io.LimitReader(a, r.Size-p.size+1)
	}
	_, err = io.CopyBuffer(&counted{p, progress}, body, make([]byte, 256<<10))
	switch {
	case err != nil:
		return err
	case r.Size >= 0 && p.size > r.Size:
		return errors.Join(p.restart(), fmt.Errorf("%s sent more than the %d bytes announced", a.Request.URL.Host, r.Size))
	case p.size < r.Size:
		return &lineError{fmt.Errorf("%s sent %d bytes of %d", a.Request.URL.Host, p.size, r.Size)}
	}
	return nil
}

// continues reports whether a range starts where the file ends and is of a file of that size.
func continues(contentRange string, at, size int64) bool {
	rest, ok := strings.CutPrefix(contentRange, fmt.Sprintf("bytes %d-", at))
	_, total, cut := strings.Cut(rest, "/")
	return ok && cut && (size < 0 || total == "*" || total == strconv.FormatInt(size, 10))
}

// counted reports what is written.
type counted struct {
	p        *partial
	progress func(done int64)
}

func (w *counted) Write(b []byte) (int, error) {
	n, err := w.p.Write(b)
	w.progress(w.p.size)
	return n, err
}
