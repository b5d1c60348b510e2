package main

import (
	"cmp"
	"fmt"
	"path/filepath"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/gomamba/gomamba/internal/badfile"
	"github.com/gomamba/gomamba/internal/hub"
	"github.com/gomamba/gomamba/internal/tags"
)

// downloadFlags are the flags of the download command.
type downloadFlags struct {
	revision         string
	include, exclude []string
	cache, local     string
	token            string
	workers          int
	force, dryRun    bool
	verify           bool
	quiet, asJSON    bool
	files            []string
	tag              string // of a GGUF file, in place of files
}

func newDownloadCmd() *cobra.Command {
	f := &downloadFlags{}
	cmd := &cobra.Command{
		Use:   "download REPO [FILES...]",
		Short: "Download a repository, or files of it, from the Hugging Face hub",
		Long: `download fetches a model repository like "hf download", into the cache that huggingface_hub
and transformers share, or into a folder with --local-dir. Files that are already there are
not fetched again, and interrupted downloads resume. Every file is checked against the hash
that the hub announces before it gets its final name. The last line on stdout is the path of
the file, if you name one, or of the folder.

REPO is OWNER/NAME, OWNER/NAME@REVISION, or the URL of a repository, folder or file on the
hub. With a tag, as in OWNER/NAME:Q4_K_M, it is one of several GGUF files, including all its
parts. Tags work as in llama.cpp and ollama: the file name contains the tag, in upper or
lower case; latest means Q4_K_M, else Q8_0. FILES can be folders, with a slash at the end.
Every command that takes a MODEL accepts all of these too, and downloads the files it needs
that are not in the cache.

--verify downloads nothing. It compares the files in the cache or in --local-dir with the
hashes that the hub announces, and lists every file that differs, is missing or is extra.
With FILES or --include it checks only these. The exit status is 1 if there are any.

The environment variables are those of huggingface_hub: HF_HOME, HF_HUB_CACHE, HF_ENDPOINT,
HF_TOKEN (or the file that "hf auth login" writes) and HF_HUB_OFFLINE. The token is sent only
to the hub. If the hub rejects it, public models can still be read.`,
		Example: `  gomamba download state-spaces/mamba-130m-hf
  gomamba download state-spaces/mamba-130m-hf config.json tokenizer.json
  gomamba download state-spaces/mamba-2.8b-hf --include '*.safetensors' \
      --include '*.json'
  gomamba download https://hf.co/tiiuae/falcon-mamba-7b/blob/main/config.json
  gomamba download tiiuae/falcon-mamba-7b --local-dir falcon --exclude '*.gguf'
  gomamba download tiiuae/falcon-mamba-7b-Q4_K_M-GGUF:Q4_K_M
  gomamba inspect $(gomamba download -q state-spaces/mamba-130m-hf)
  gomamba download state-spaces/mamba-130m-hf --verify`,
		Args: usage(cobra.MinimumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.files = args[1:]
			return f.run(cmd, args[0])
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&f.revision, "revision", hub.DefaultRevision, "branch, tag or commit")
	flags.StringArrayVar(&f.include, "include", nil, "only files that match this pattern, such as '*.json' (can be repeated)")
	flags.StringArrayVar(&f.exclude, "exclude", nil, "skip files that match this pattern (can be repeated)")
	fileVar(flags, &f.cache, "cache-dir", "", "folder of the cache (default: that of huggingface_hub)")
	fileVar(flags, &f.local, "local-dir", "", "put the files into this folder, not into the cache")
	flags.StringVar(&f.token, "token", "", "access token (default: HF_TOKEN, or the one from hf auth login)")
	intVar(flags, &f.workers, "max-workers", "", 8, 1, 64, "", "files to fetch at a time")
	flags.BoolVar(&f.force, "force-download", false, "fetch files again that are already there")
	flags.BoolVar(&f.dryRun, "dry-run", false, "list the files that would be fetched, but fetch nothing")
	flags.BoolVar(&f.verify, "verify", false, "check the hashes of local files, but fetch nothing")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "print only the path and errors")
	flags.BoolVar(&f.asJSON, "json", false, "print JSON: path, commit and files")
	return cmd
}

func (f *downloadFlags) run(cmd *cobra.Command, repo string) error {
	bars := newDownloadBars(cmd, f.quiet)
	defer bars.stop()
	client, req, err := f.request(cmd, bars, repo)
	if err != nil {
		return err
	}
	req.Progress = bars.show
	if f.verify {
		return f.check(cmd, client, req, bars)
	}
	req.Plan = func(res *hub.Result) {
		if len(res.Missing) > 0 && !f.quiet && !f.dryRun {
			say(cmd, "gomamba: %s: fetching %s", req.Repo, toFetch(res))
		}
		bars.start(res.Bytes())
	}
	res, err := client.Download(cmd.Context(), *req)
	bars.stop()
	if err != nil {
		return err
	}
	if res.Stale != nil {
		warn(cmd, fmt.Sprintf("the hub was not reached (%s): these are the files of the cache", oneLine(res.Stale)))
	}
	path := res.Path
	if f.tag != "" || len(f.files) == 1 && len(res.Files) == 1 && !strings.HasSuffix(f.files[0], "/") { // of a split, the first part
		path = filepath.Join(path, filepath.FromSlash(res.Files[0].Path))
	}
	return f.print(cmd, path, res)
}

// request reads the flags.
func (f *downloadFlags) request(cmd *cobra.Command, bars *downloadBars, repo string) (*hub.Client, *hub.Request, error) {
	switch {
	case f.local != "" && f.cache != "":
		return nil, nil, usagef("--local-dir and --cache-dir: expected one of them")
	case f.verify && (f.force || f.dryRun):
		return nil, nil, usagef("--verify fetches nothing: expected neither --force-download nor --dry-run with it")
	case len(f.files) > 0 && len(f.include)+len(f.exclude) > 0:
		return nil, nil, usagef("--include and --exclude choose among all files: expected none of them with FILES")
	}
	client, err := newHubClient(cmd, bars)
	if err != nil {
		return nil, nil, err
	}
	if f.quiet {
		client.Waiting = nil
	}
	if f.token != "" {
		client.Token, client.TokenFrom = f.token, "--token"
	}
	ref, err := client.ParseRepo(repo)
	if err != nil {
		return nil, nil, &usageError{err}
	}
	if inside := cmp.Or(ref.File, ref.Folder, ref.Tag); inside != "" {
		if len(f.files)+len(f.include)+len(f.exclude) > 0 {
			return nil, nil, usagef("%s names %s itself: expected neither FILES nor --include and --exclude with it", repo, inside)
		}
		if ref.Folder != "" {
			inside += "/"
		}
		if ref.Tag == "" {
			f.files = []string{inside}
		}
	}
	f.tag = ref.Tag
	if ref.Revision != "" && cmd.Flags().Changed("revision") && f.revision != ref.Revision {
		return nil, nil, usagef("--revision %s: %s names the revision %s; leave one out", f.revision, repo, ref.Revision)
	}
	if f.cache != "" {
		client.Cache = f.cache
	}
	req := &hub.Request{Repo: ref.Repo, Revision: cmp.Or(ref.Revision, f.revision), LocalDir: f.local, Force: f.force, DryRun: f.dryRun, Workers: f.workers}
	switch {
	case ref.Tag != "":
		req.Select = tags.Choose(ref.Tag)
	case len(f.files) > 0:
		req.Select = hub.Named(f.files)
	case len(f.include)+len(f.exclude) > 0:
		req.Select = byFlags(f.include, f.exclude)
	}
	return client, req, nil
}

// toFetch says how much is missing: "3 of 5 files, 517 MB".
func toFetch(res *hub.Result) string {
	text := fmt.Sprintf("%d of %d files", len(res.Missing), len(res.Files))
	if n := res.Bytes(); n > 0 {
		text += ", " + bytesText(n)
	}
	return text
}

// downloadResult is what download reports; its JSON form is a contract.
type downloadResult struct {
	Path   string           `json:"path"`
	Commit string           `json:"commit"`
	Files  []downloadedFile `json:"files"`
}

type downloadedFile struct {
	Name   string `json:"name"`
	Bytes  int64  `json:"bytes"`  // -1 if not known
	Cached bool   `json:"cached"` // it was there before
}

func (f *downloadFlags) print(cmd *cobra.Command, path string, res *hub.Result) error {
	missing := map[string]bool{}
	for _, file := range res.Missing {
		missing[file.Path] = true
	}
	out := cmd.OutOrStdout()
	report := downloadResult{Path: path, Commit: res.Commit, Files: []downloadedFile{}}
	for _, file := range res.Files {
		report.Files = append(report.Files, downloadedFile{file.Path, file.Size, !missing[file.Path]})
	}
	switch {
	case f.asJSON:
		return printJSON(out, report)
	case !f.dryRun:
		_, err := fmt.Fprintln(out, path)
		return err
	}
	tw := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	for _, file := range report.Files {
		state := "to fetch"
		if file.Cached {
			state = "there"
		}
		fmt.Fprintf(tw, "%s\t%s\t%s\n", badfile.Printable(file.Name), bytesText(max(file.Bytes, 0)), state)
	}
	fmt.Fprintf(tw, "%s to fetch\n", toFetch(res))
	return tw.Flush()
}
