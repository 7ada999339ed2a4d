# escape=`
FROM alpine
COPY --link `
  --chown=builder `
  a C:\
COPY --link --chown=second a b
