module github.com/gomamba/gomamba/internal/kernel/_asm/arm64

go 1.26.0
