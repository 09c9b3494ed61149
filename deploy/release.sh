#!/usr/bin/env bash
# Brings an environment to an image: raw tables, then services, then marts.
#   deploy/release.sh TAG DBT_TARGET
# Needs Docker, Terraform and AWS's command line with rights; deploy/terraform/terraform.tfvars and release.s3.tfbackend; REGISTRY,
# in which the image is, or FROM_REGISTRY, from which it is copied as it is; for Terraform's Snowflake user SNOWFLAKE_USER and
# SNOWFLAKE_PRIVATE_KEY; F1STREAM_SNOWFLAKE_ACCOUNT, _DATABASE and _WAREHOUSE. Run again, it goes on where it failed.
set -euo pipefail
cd "$(dirname "$0")/terraform"
fail() { echo "release.sh: $1" >&2; exit 1; }
tag=${1:?which image} target=${2:?which target of dbt}
image="$REGISTRY:$tag"

for registry in "$REGISTRY" ${FROM_REGISTRY:+"$FROM_REGISTRY"}; do
  aws ecr get-login-password | docker login --username AWS --password-stdin "${registry%%/*}"
done
if ! docker manifest inspect "$image" >/dev/null 2>&1; then
  [ -n "${FROM_REGISTRY:-}" ] || fail "There is no image $image. Build and push it, or set FROM_REGISTRY."
  docker buildx imagetools create --tag "$image" "$FROM_REGISTRY:$tag"
fi

# The archive's new workers may have new columns to fill; this only ever adds.
export F1STREAM_SNOWFLAKE_USER="$SNOWFLAKE_USER" F1STREAM_SNOWFLAKE_PRIVATE_KEY="$SNOWFLAKE_PRIVATE_KEY" F1STREAM_SNOWFLAKE_ROLE=SYSADMIN
docker run --rm --read-only --env F1STREAM_SNOWFLAKE_ACCOUNT --env F1STREAM_SNOWFLAKE_DATABASE --env F1STREAM_SNOWFLAKE_WAREHOUSE \
  --env F1STREAM_SNOWFLAKE_USER --env F1STREAM_SNOWFLAKE_PRIVATE_KEY --env F1STREAM_SNOWFLAKE_ROLE "$image" warehouse init

export SNOWFLAKE_AUTHENTICATOR=SNOWFLAKE_JWT
terraform init -input=false -backend-config=release.s3.tfbackend
terraform apply -input=false -auto-approve -var image_tag="$tag"

# A deployment that fails goes back by itself and is stable then: so which image runs is looked at too.
cluster=$(terraform output -raw cluster)
for service in race archive web schedule; do
  aws ecs wait services-stable --cluster "$cluster" --services "$service" \
    || aws ecs wait services-stable --cluster "$cluster" --services "$service"  # each waits for 10 minutes
  definition=$(aws ecs describe-services --cluster "$cluster" --services "$service" \
    --query "services[0].deployments[?status=='PRIMARY'] | [0].taskDefinition" --output text)
  runs=$(aws ecs describe-task-definition --task-definition "$definition" \
    --query 'taskDefinition.containerDefinitions[0].image' --output text)
  [ "$runs" = "$image" ] || fail "Service $service went back to $runs; its log says why."
done

# As a task in the scheduler's place, with its key and its files: so that they never build at the same time.
network=$(aws ecs describe-services --cluster "$cluster" --services schedule --query 'services[0].networkConfiguration' --output json)
build="{\"containerOverrides\": [{\"name\": \"schedule\", \"command\": [\"dbt\", \"build\"],
  \"environment\": [{\"name\": \"F1STREAM_DBT_TARGET\", \"value\": \"$target\"}]}]}"
for attempt in 1 2 3 4 5 6; do
  task=$(aws ecs run-task --cluster "$cluster" --task-definition "$definition" --launch-type FARGATE \
    --network-configuration "$network" --overrides "$build" --query 'tasks[0].taskArn' --output text)
  for _ in 1 2 3 4 5 6; do
    aws ecs wait tasks-stopped --cluster "$cluster" --tasks "$task" && break
  done
  code=$(aws ecs describe-tasks --cluster "$cluster" --tasks "$task" --query 'tasks[0].containers[0].exitCode' --output text)
  [ "$code" = 2 ] || break  # the scheduler is at it
  [ "$attempt" = 6 ] || sleep "${PAUSE_S:-300}"
done
[ "$code" = 0 ] || fail "dbt build on target $target ended with code $code; the log group of schedule says why."
echo "$image runs, and the marts of target $target are built."
